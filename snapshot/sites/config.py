"""What `mirrors.toml` may hold, as structs; the JSON Schema for editors is made from them."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

MOST_ASN = (1 << 31) - 1
"""MirrorManager's column `host.asn` is a signed integer of 32 bits."""
MOST_WEIGHT = 1_000_000
DEFAULT_WEIGHT = 100
DEFAULT_NAME = "{prefix}-{version}"
DEFAULT_TOPDIR = "pub"
DEFAULT_LAG_HOURS = 72
DEFAULT_FAILURES = 3

_Text = Annotated[str, Meta(min_length=1, max_length=500)]
_Texts = Annotated[list[_Text], Meta(min_length=1)]


class Site(Struct, frozen=True, forbid_unknown_fields=True):
    """The distribution or company whose mirrors these are."""

    name: Annotated[
        _Text,
        Meta(
            description="The site's name. It marks what this file owns in the database, so a"
            " changed name begins a second site, unless `renamed_from` has the name before."
        ),
    ]
    renamed_from: Annotated[
        _Text | None,
        Meta(
            description="The name that the site had before: an apply renames it in a database that"
            " knows it by that name, and then this key does nothing."
        ),
    ] = None
    contact: Annotated[
        _Text | None, Meta(description="An e-mail address or URL for mirror admins.")
    ] = None
    url: Annotated[_Text | None, Meta(description="The site's web page.")] = None
    topdir: Annotated[
        str,
        Meta(
            description="The directory that stands for the mirrors' URLs: with pub, a client asks"
            " for path=pub/9/BaseOS."
        ),
    ] = DEFAULT_TOPDIR
    lag_hours: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000,
            description="How long a mirror may lag: for this many hours after it was replaced, a"
            " repomd.xml stays valid in the metalink.",
        ),
    ] = DEFAULT_LAG_HOURS
    failures: Annotated[
        int,
        Meta(
            ge=1,
            le=1000,
            description="After this many tries in a row without any answer, a URL of a mirror"
            " leaves the lists, until it answers again. A probe tries up to 3 times.",
        ),
    ] = DEFAULT_FAILURES
    private_redirects: Annotated[
        bool,
        Meta(
            description="Whether a probe follows redirects to this machine or to a private network,"
            " beside those to hosts that this file names."
        ),
    ] = False
    overlapping_netblocks: Annotated[
        bool, Meta(description="Whether netblocks of several mirrors may overlap.")
    ] = False
    wide_netblocks: Annotated[
        bool,
        Meta(
            description="Whether netblocks may be wider than /16 (IPv6: /32), such as 10.0.0.0/8;"
            " run, export and watch need --allow-wide-netblocks then."
        ),
    ] = False


class Primary(Struct, frozen=True, forbid_unknown_fields=True):
    """The tree that all mirrors copy: a URL, or a folder on this machine."""

    url: Annotated[_Text | None, Meta(description="An http or https URL.")] = None
    path: Annotated[
        _Text | None, Meta(description="A folder; a relative one is beside this file.")
    ] = None


class Variant(Struct, frozen=True, forbid_unknown_fields=True):
    """What is different for some versions of a repository."""

    versions: Annotated[_Texts, Meta(description="The versions that differ.")]
    path: Annotated[_Text | None, Meta(description="Their path instead.")] = None
    arches: Annotated[_Texts | None, Meta(description="Their arches instead.")] = None


class Repository(Struct, frozen=True, forbid_unknown_fields=True):
    """A repository in all its versions and arches."""

    prefix: Annotated[_Text, Meta(description="The first part of what clients ask for as repo=.")]
    versions: Annotated[_Texts, Meta(description='The versions, such as ["9", "10"].')]
    arches: Annotated[_Texts, Meta(description='The arches, such as ["x86_64", "aarch64"].')]
    path: Annotated[
        _Text,
        Meta(
            description="Where it is below the URLs of the primary and of each mirror, with"
            " {version} and {arch}."
        ),
    ]
    name: Annotated[
        _Text, Meta(description="What clients ask for as repo=, with {prefix} and {version}.")
    ] = DEFAULT_NAME
    check: Annotated[
        _Text | None,
        Meta(
            description="For a repository without repomd.xml: a file below its path that mirrors"
            " copy last, such as a time file, with {version} and {arch}; with a / in front, a"
            " file below the URLs."
        ),
    ] = None
    tree: Annotated[
        _Text | None,
        Meta(description="The tree that it belongs to, if some mirrors have it under other URLs."),
    ] = None
    exception: Annotated[
        list[Variant], Meta(description="What is different for some versions.")
    ] = []


class Mirror(Struct, frozen=True, forbid_unknown_fields=True):
    """A mirror: its URLs, and which clients get it."""

    name: Annotated[_Text, Meta(description="Its name, which no other mirror has.")]
    country: Annotated[_Text, Meta(description="Its country, by the two letters of ISO 3166.")]
    urls: Annotated[
        list[_Text],
        Meta(description="Where it has the whole tree: http, https, rsync or ftp."),
    ] = []
    trees: Annotated[
        dict[str, list[_Text]],
        Meta(description="Its URLs of trees that repositories name as their tree."),
    ] = {}
    weight: Annotated[
        int,
        Meta(ge=1, le=MOST_WEIGHT, description="Mbit/s: a larger one gets more of the clients."),
    ] = DEFAULT_WEIGHT
    asn: Annotated[
        Annotated[int, Meta(ge=1, le=MOST_ASN)] | None,
        Meta(description="Its autonomous system, whose clients get it first."),
    ] = None
    netblocks: Annotated[
        list[_Text], Meta(description="Networks whose clients get it before all others.")
    ] = []
    private: Annotated[
        bool, Meta(description="Whether only clients in its netblocks and ASN get it.")
    ] = False
    countries_allowed: Annotated[
        list[_Text], Meta(description="The only countries whose clients get it; [] is all.")
    ] = []
    repositories: Annotated[
        _Texts | None, Meta(description="The prefixes that it has, if it has not all.")
    ] = None
    versions: Annotated[
        _Texts | None, Meta(description="The versions that it has, if it has not all.")
    ] = None
    arches: Annotated[
        _Texts | None, Meta(description="The arches that it has, if it has not all.")
    ] = None
    active: Annotated[bool, Meta(description="Whether clients get it at all.")] = True
    contact: Annotated[_Text | None, Meta(description="Who runs it.")] = None
    sponsor: Annotated[_Text | None, Meta(description="Who pays for it.")] = None
    sponsor_url: Annotated[_Text | None, Meta(description="The sponsor's web page.")] = None

    @property
    def all_urls(self) -> list[str]:
        """The URLs of all trees."""
        return [*self.urls, *(url for urls in self.trees.values() for url in urls)]


class Shape(Struct, frozen=True, forbid_unknown_fields=True):
    """Requests in other words than repo= and arch=."""

    path: Annotated[
        _Text | None,
        Meta(
            description="The path of the requests, below /mirrorlist or /metalink, with {prefix},"
            " {version} and {arch}: /mirrorlist/{version}/{prefix}."
        ),
    ] = None
    query: Annotated[
        dict[str, _Text],
        Meta(description='Their parameters, with the same words: { release = "{version}" }.'),
    ] = {}
    arch: Annotated[
        _Text | None,
        Meta(
            description="The arch, if no pattern has {arch}: one of the repositories, or"
            " $basearch, which stays so in a mirrorlist, for clients to fill in."
        ),
    ] = None


class Aliases(Struct, frozen=True, forbid_unknown_fields=True):
    """What else clients may say, in every kind of request."""

    versions: Annotated[
        dict[str, _Text], Meta(description='Versions by their aliases: { "9" = "9.6" }.')
    ] = {}
    prefixes: Annotated[dict[str, _Text], Meta(description='Prefixes: { BaseOS = "baseos" }.')] = {}
    arches: Annotated[dict[str, _Text], Meta(description='Arches: { arm64 = "aarch64" }.')] = {}


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """All of a site: its file, and the files in mirrors.d beside it."""

    site: Site
    repository: Annotated[list[Repository], Meta(min_length=1)]
    primary: Primary | UnsetType = UNSET
    mirror: list[Mirror] = []
    shapes: list[Shape] = []
    aliases: Aliases | UnsetType = UNSET

    @property
    def trees(self) -> dict[str | None, str]:
        """The name of the category for each tree; the key None is the whole tree."""
        named = sorted({one.tree for one in self.repository if one.tree is not None})
        return {None: self.site.name, **{tree: f"{self.site.name} {tree}" for tree in named}}


def schema() -> dict[str, Any]:
    """Return the JSON Schema of `mirrors.toml`; a file of mirrors.d may hold one mirror alone."""
    whole = msgspec.json.schema(Config)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mirrors.toml",
        "description": "A small site's mirrors and repositories, for `mirrorlist sites`.",
        "anyOf": [
            {"$ref": "#/$defs/Config"},
            {"$ref": "#/$defs/Mirror"},
            {
                "type": "object",
                "properties": {"mirror": {"type": "array", "items": {"$ref": "#/$defs/Mirror"}}},
                "required": ["mirror"],
                "additionalProperties": False,
            },
        ],
        "$defs": whole["$defs"],
    }
