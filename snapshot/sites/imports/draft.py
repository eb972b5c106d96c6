"""A mirror or repository of another list on its way to a file, and notes on what was not taken."""

import json
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from snapshot.file.text import printable


class Place(Struct, frozen=True):
    """Where something stands in the other list."""

    file: str
    line: int

    def __str__(self) -> str:
        """As compilers say it."""
        return f"{self.file}:{self.line}"


class Note(Struct, frozen=True):
    """Something of the other list that was changed or left out."""

    field: str
    """The key in the other list, or what it is."""
    file: str
    """Its file."""
    line: int
    """Its line, counted from 1."""
    value: str
    """What it says."""
    why: str
    """What was written instead, or why nothing was."""


class Notes:
    """What was changed and what was left out."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.changed: list[Note] = []
        self.left_out: list[Note] = []

    def change(self, field: str, place: Place, value: object, why: str) -> None:
        """Note a value that was written in another way."""
        self.changed.append(_note(field, place, value, why))

    def leave_out(self, field: str, place: Place, value: object, why: str) -> None:
        """Note a value that was not taken."""
        self.left_out.append(_note(field, place, value, why))


def _note(field: str, place: Place, value: object, why: str) -> Note:
    file = comment(place.file)
    return Note(comment(field), file, place.line, _short(value), comment(why))


def _short(value: object) -> str:
    text = comment(str(value))
    return text if len(text) <= 200 else f"{text[:200]} ..."


class Draft(Struct):
    """A mirror as the other list has it; without `country` it is not complete."""

    name: str
    place: Place
    country: str | None = None
    urls: list[str] = field(default_factory=list)
    trees: dict[str, list[str]] = field(default_factory=dict)
    asn: int | None = None
    netblocks: list[str] = field(default_factory=list)
    private: bool = False
    contact: str | None = None
    sponsor: str | None = None
    sponsor_url: str | None = None


class RepositoryDraft(Struct):
    """A repository; `arches` differ from the first version's by `exceptions`."""

    prefix: str
    versions: list[str]
    arches: list[str]
    path: str
    tree: str | None = None
    exceptions: list[tuple[list[str], list[str]]] = field(default_factory=list)


class SiteDraft(Struct):
    """All of a site."""

    name: str
    repositories: list[RepositoryDraft]
    mirrors: list[Draft]
    lag_hours: int | None = None
    more: str = ""
    """Further lines of the file."""


def quoted(text: str) -> str:
    """Return a text as TOML's basic string, which writes all that JSON's does.

    Broken UTF-8 becomes `?`, because no file can hold it.
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def comment(text: str) -> str:
    """Return a text for a line with a # in front: without line feeds and other control."""
    plain = printable(" ".join(text.split()))
    return plain.encode("utf-8", "replace").decode("utf-8")


def listed(values: Iterable[str]) -> str:
    """Return texts as a list of TOML."""
    return f"[{', '.join(map(quoted, values))}]"


def mirror_toml(one: Draft) -> str:
    """Return a file of mirrors.d."""
    lines: dict[str, object] = {
        "name": quoted(one.name),
        "country": one.country and quoted(one.country),
        "urls": one.urls and _urls(one.urls),
        **{f"trees.{_key(tree)}": _urls(urls) for tree, urls in one.trees.items()},
        "asn": one.asn,
        "netblocks": one.netblocks and listed(one.netblocks),
        "private": one.private and "true",
        "contact": one.contact and quoted(one.contact),
        "sponsor": one.sponsor and quoted(one.sponsor),
        "sponsor_url": one.sponsor_url and quoted(one.sponsor_url),
    }
    return _lines(lines)


def site_toml(site: SiteDraft, command: str, contact: str | None, primary: str | None) -> str:
    """Return the main file; the mirrors stand in mirrors.d."""
    parts = [f"# Made by: {comment(command)}\n# The mirrors are in mirrors.d, a mirror a file.\n"]
    about = {"name": quoted(site.name), "contact": contact and quoted(contact)}
    parts.append(f"[site]\n{_lines({**about, 'lag_hours': site.lag_hours})}")
    parts.append(_primary(primary))
    parts += map(_repository, site.repositories)
    if site.more:
        parts.append(site.more)
    return "\n".join(parts)


def _primary(primary: str | None) -> str:
    if primary is None:
        return (
            "# The tree that all mirrors copy; `mirrorlist sites probe` needs it.\n"
            '# [primary]\n# url = "https://primary.example/pub/"\n'
        )
    return f"[primary]\n{'url' if '://' in primary else 'path'} = {quoted(primary)}\n"


def _repository(one: RepositoryDraft) -> str:
    lines = {
        "prefix": quoted(one.prefix),
        "versions": listed(one.versions),
        "arches": listed(one.arches),
        "path": quoted(one.path),
        "tree": one.tree and quoted(one.tree),
    }
    text = f"[[repository]]\n{_lines(lines)}"
    for versions, arches in one.exceptions:
        text += (
            f"[[repository.exception]]\nversions = {listed(versions)}\narches = {listed(arches)}\n"
        )
    return text


def _lines(lines: Mapping[str, object]) -> str:
    return "".join(f"{name} = {value}\n" for name, value in lines.items() if value)


def _key(text: str) -> str:
    return text if text.isascii() and text.replace("-", "").isalnum() else quoted(text)


def _urls(urls: list[str]) -> str:
    if len(urls) < 2:
        return listed(urls)
    return "[\n" + "".join(f"    {quoted(url)},\n" for url in urls) + "]"
