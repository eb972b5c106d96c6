"""Reads plain lists of mirrors: a URL a line, with a country beside or above it."""

import re
from collections.abc import Iterator
from pathlib import Path

from snapshot.file.errors import DataFileError
from snapshot.file.wholefile import read_text
from snapshot.sites.imports.cleaning import Places, clean_urls, host_of
from snapshot.sites.imports.draft import Draft, Notes, Place, RepositoryDraft, SiteDraft

_SERVER = re.compile(r"(?:server|baseurl|mirrorlist)\s*=\s*", re.IGNORECASE)
_FIELDS = {"version": r"(?P<version>[^/]+)", "arch": r"(?P<arch>[^/]+)", "prefix": r"(?:[^/]+)"}
_NAMED = ("version", "arch")


class _Line:
    """A URL, the country that its line or heading tells, and what its path tells."""

    def __init__(self, url: str, place: Place, country: str | None) -> None:
        self.url, self.place, self.country = url, place, country


def read_plain(
    file: Path, name: str, repository: RepositoryDraft, places: Places, notes: Notes
) -> SiteDraft:
    """Return the site of a list; raises DataFileError if it has no URL.

    Lines of one host are one mirror. Where a URL ends with the repository's path, this end is cut
    off, and its version and arch are the site's.
    """
    try:
        text = read_text(file)
    except OSError as error:
        raise DataFileError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataFileError(f"{file}: is not text in UTF-8") from error
    tail, found = _Tail(repository.path), dict[str, list[_Line]]()
    for line in _lines(file, text, places, notes):
        line.url = tail.cut(line.url)
        found.setdefault(host_of(line.url), []).append(line)
    if not found:
        raise DataFileError(f"{file}: has no URL; a line may be a URL, `CC URL` or `Server = URL`")
    repository.versions = repository.versions or sorted(tail.versions) or ["1"]
    repository.arches = repository.arches or sorted(tail.arches) or ["x86_64"]
    return SiteDraft(
        name, [repository], [_mirror(host, mine, places, notes) for host, mine in found.items()]
    )


def _mirror(host: str, lines: list[_Line], places: Places, notes: Notes) -> Draft:
    draft = Draft(host, lines[0].place, next((one.country for one in lines if one.country), None))
    draft.urls = clean_urls([(one.url, one.place) for one in lines], notes)
    places.complete(draft, notes)
    return draft


def _lines(file: Path, text: str, places: Places, notes: Notes) -> Iterator[_Line]:
    heading: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        place, plain = Place(str(file), number), line.strip()
        if plain.startswith(("#", ";")):
            title = plain.lstrip("#;").strip()
            heading = places.parse(title) if title and not _has_url(title) else heading
            if _has_url(title):
                notes.leave_out("comment", place, plain, "a URL that is switched off by its #")
        elif plain:
            words = [one for one in re.split(r"[\s,|]+", _SERVER.sub("", plain)) if one]
            urls = [word for word in words if _has_url(word)]
            countries = [
                code for word in words if word not in urls and (code := places.parse(word))
            ]
            rest = [w for w in words if w not in urls and not places.parse(w)]
            for word in rest if urls else [plain]:
                notes.leave_out("text", place, word, "neither a URL nor a country")
            for url in urls:
                yield _Line(url, place, countries[0] if countries else heading)


def _has_url(text: str) -> bool:
    return "://" in text or re.match(r"[\w.-]+::\w", text) is not None


class _Tail:
    """The repository's path at the end of URLs, and the versions and arches that it has there."""

    def __init__(self, pattern: str) -> None:
        parts = re.split(r"\{(\w+)\}", pattern.strip("/"))
        seen: set[str] = set()
        text = "".join(
            self._field(part, seen) if at % 2 else re.escape(part) for at, part in enumerate(parts)
        )
        self._end = re.compile(rf"/{text}(?:/repodata/repomd\.xml)?/?$")
        self.versions: set[str] = set()
        self.arches: set[str] = set()

    def _field(self, name: str, seen: set[str]) -> str:
        if name in seen and name in _NAMED:
            return f"(?P={name})"
        seen.add(name)
        return _FIELDS.get(name, "[^/]+")

    def cut(self, url: str) -> str:
        """Return a URL without the path, and keep what it tells."""
        found = self._end.search(url)
        if found is None:
            return url
        for name, seen in (("version", self.versions), ("arch", self.arches)):
            value = found.groupdict().get(name)
            if value and not value.startswith("$"):
                seen.add(value)
        return f"{url[: found.start()]}/"
