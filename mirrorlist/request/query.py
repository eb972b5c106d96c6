"""The query string of a request: bytes in, a frozen Query or a BadQuery out.

Source: docs/protocol.md#parameters, and docs/protocol.md#values.
"""

import re
from collections.abc import Iterable
from urllib.parse import quote

from msgspec import Struct, structs

from mirrorlist.errors import BadQuery
from mirrorlist.request.commas import elements
from snapshot.file.text import CONTROL

MAX_VALUE_BYTES = 256
MAX_PATH_BYTES = 2048
MAX_LIST_ELEMENTS = 32
MAX_ECHO = 128
# HTML forms write a blank so; no country and no protocol begins or ends with it.
FORM_BLANK = "+"
_IN_URL = "._+/@~^-"

PARAMETERS = frozenset(
    "repo arch path country protocol ip netblock redirect time".split()  # noqa: SIM905
)

_NAMES = {name.encode(): name for name in PARAMETERS}
# A parameter as it stands between others: with a value, and alone.
_WRITTEN = [(b"&%b=" % name, b"&%b&" % name) for name in sorted(_NAMES)]
# Of a query with more parameters than clients send, those that count are searched for.
_MANY = 32
# Those that are parts of a wish and that may be new in each request.
_OF_WISH = frozenset((b"country", b"protocol"))
_BROKEN_ESCAPE = re.compile(b"%(?![0-9A-Fa-f]{2})")
# "any character outside `A-Z a-z 0-9 . _ + , / @ ~ ^ -` becomes `?`"
# (docs/protocol.md#what-is-repeated).
_NOT_ECHOED = re.compile(r"[^A-Za-z0-9._+,/@~^-]")
_NOT_KEPT = re.compile(r"[^A-Za-z0-9._+,/@~^${}-]")


class Wish(Struct, frozen=True):
    """All that a query says about which hosts it gets, and nothing else: used whole in cache keys.

    `countries` are in upper case, sorted and unique; `protocols` are in lower case, None for all;
    `near` says that the netblock and ASN tiers may be consulted.
    """

    countries: tuple[str, ...] = ()
    protocols: frozenset[str] | None = None
    near: bool = True


class Query(Struct, frozen=True):
    """What a client asks for; None and empty stand for a parameter that is not there.

    `arch` is the one after the source rule; `protocol_text` is the text of `wish.protocols` as the
    client wrote it.
    """

    metalink: bool
    repo: str | None = None
    arch: str | None = None
    path: str | None = None
    wish: Wish = Wish()
    protocol_text: str = ""
    ip: str = ""
    redirect: bool = False
    time: bool = False

    @property
    def has_repository(self) -> bool:
        """Whether it names a repository and an arch, even beside a path."""
        return self.repo is not None and self.arch is not None


def parse_query(raw: bytes, metalink: bool) -> Query:
    """Return the query of a raw query string; raises BadQuery."""
    values = _values(raw)
    repo, arch = values.get("repo"), values.get("arch")
    return Query(
        metalink=metalink,
        repo=repo,
        # "`repo` containing `source` means `arch=source`" (docs/protocol.md#the-target): source
        # packages have one tree for all arches.
        arch="source" if repo and arch is not None and "source" in repo else arch,
        path=values.get("path"),
        wish=_wish(values),
        protocol_text=values.get("protocol", ""),
        ip=values.get("ip", ""),
        redirect="redirect" in values,
        time="time" in values,
    )


def cut_wish(raw: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Cut country= or protocol= off the end of a query string, None if it ends otherwise.

    Returns what stands before it, its name, and its raw value.
    """
    before, _, last = raw.rpartition(b"&")
    name, _, value = last.partition(b"=")
    return (before, name, value) if name in _OF_WISH and b"=" not in value else None


def with_wish(query: Query, name: bytes, raw: bytes) -> Query:
    """Return what is asked for if `name=raw` stands behind a query string; raises BadQuery.

    The same as to parse the whole: "The last value of a repeated parameter wins."
    (docs/protocol.md#parameters).
    """
    wish = query.wish
    if name == b"country":
        text = decode("country", raw, MAX_VALUE_BYTES)
        return structs.replace(query, wish=Wish(_countries(text), wish.protocols, wish.near))
    text = decode("protocol", raw, MAX_VALUE_BYTES)
    wish = Wish(wish.countries, _protocols(text), wish.near)
    return structs.replace(query, wish=wish, protocol_text=text)


def _wish(values: dict[str, str]) -> Wish:
    protocol = values.get("protocol")
    return Wish(
        countries=_countries(values.get("country", "")),
        protocols=None if protocol is None else _protocols(protocol),
        # "any value except `1` switches the netblock and ASN tiers off"
        # (docs/protocol.md#parameters).
        near=values.get("netblock", "1") == "1",
    )


def echo(text: str) -> str:
    """Return the part of a client's text that an answer may repeat."""
    return _NOT_ECHOED.sub("?", text[:MAX_ECHO])


def typed(text: str) -> str:
    """Return a client's text as statistics keep it: also `$` and braces (`epel-$releasever`)."""
    return _NOT_KEPT.sub("?", text[:MAX_ECHO])


def _values(raw: bytes) -> dict[str, str]:
    """Return the last value of each known parameter, in the order of these."""
    found: dict[str, bytes] = {}
    for part in raw.split(b"&") if raw.count(b"&") < _MANY else _last(raw):
        # "A value stands between the first and the second `=`. A parameter without `=` is given and
        # empty." (docs/protocol.md#values): mirrorlist-server reads them so.
        written, *value = part.split(b"=", 2)
        if name := _NAMES.get(written):
            # "The last value of a repeated parameter wins." (docs/protocol.md#parameters)
            found.pop(name, None)
            found[name] = value[0] if value else b""
    return {
        name: decode(name, value, MAX_PATH_BYTES if name == "path" else MAX_VALUE_BYTES)
        for name, value in found.items()
    }


def _last(raw: bytes) -> list[bytes]:
    """Return where each known parameter stands for the last time, in the order of these.

    Two searches for each name cost little, however many parameters a query has.
    """
    query = b"&%b&" % raw
    places = [max(map(query.rfind, written)) + 1 for written in _WRITTEN]
    return [query[at : query.index(b"&", at)] for at in sorted(places) if at]


def values_of(raw: bytes, names: Iterable[str]) -> dict[str, str] | None:
    """Return the last values of some parameters, None if one of them is not given.

    Raises BadQuery for a value that cannot be understood.
    """
    query = b"&%b&" % raw
    values = {}
    for name in names:
        written = b"&%b=" % name.encode()
        at = query.rfind(written)
        if at < 0:
            return None
        values[name] = decode(name, _value_at(query, at + len(written) - 1), MAX_VALUE_BYTES)
    return values


def _value_at(query: bytes, at: int) -> bytes:
    """Return the value behind a name.

    "A value stands between the first and the second `=`. A parameter without `=` is given and
    empty." (docs/protocol.md#values): mirrorlist-server reads them so.
    """
    return query[at + 1 : query.index(b"&", at)].partition(b"=")[0]


def decode(name: str, raw: bytes, limit: int) -> str:
    """Return the text of a raw value of at most `limit` bytes; raises BadQuery."""
    value = _unescaped(name, raw, limit) if b"%" in raw else raw
    if len(value) > limit:
        raise BadQuery(f"# {name}=: longer than {limit} bytes")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise BadQuery(f"# {name}=: not valid UTF-8") from None
    # "a decoded line feed must never put a line into a list" (docs/protocol.md#known-differences).
    # A text that is printable has no control character, and that is seen sooner.
    if not text.isprintable() and CONTROL.search(text):
        raise BadQuery(f"# {name}=: a control character")
    return text


def _unescaped(name: str, raw: bytes, limit: int) -> bytes:
    if _BROKEN_ESCAPE.search(raw):
        raise BadQuery(f"# {name}=: a % that is not followed by two hexadecimal digits")
    # A byte is at most three bytes long as an escape: a longer text cannot decode to `limit` bytes,
    # so it is not worth decoding.
    return unescaped(raw) if len(raw) <= 3 * limit else raw


def unescaped(raw: bytes) -> bytes:
    """Return what percent-encoded bytes mean; each % must have two hexadecimal digits behind it.

    The same as `urllib.parse.unquote_to_bytes`, which takes 0.7 ms for 2,000 of them: 15 times as
    long as Python's decoder of string literals.
    """
    literal = raw.replace(b"\\", rb"\\").replace(b"%", rb"\x")
    return literal.decode("unicode_escape").encode("latin-1")


def list_of(name: str, text: str, also_blank: str = FORM_BLANK) -> list[str]:
    """Return the elements of a parameter's value; raises BadQuery if it has too many."""
    if text.count(",") >= MAX_LIST_ELEMENTS:
        raise BadQuery(f"# {name}=: more than {MAX_LIST_ELEMENTS} elements")
    return elements(text, also_blank)


def spelling(text: str) -> str:
    """Return a name of the snapshot as a client has to write it in a URL."""
    return quote(text, safe=_IN_URL)


def _countries(text: str) -> tuple[str, ...]:
    return tuple(sorted(set(list_of("country", text.upper()))))


def _protocols(text: str) -> frozenset[str]:
    return frozenset(list_of("protocol", text.lower()))
