"""Values of other lists as a site's file writes them, and the country of a mirror."""

import socket
from importlib import import_module
from urllib.parse import urlsplit

from snapshot.export.countries import Countries
from snapshot.sites.imports.draft import Draft, Notes, Place

# Endings of names that look like countries and are used everywhere.
_ANYWHERE = (
    *("AC", "AI", "CC", "CO", "FM", "GG", "IM", "IO", "LA"),
    *("LY", "ME", "NU", "RE", "SH", "ST", "TO", "TV", "WS"),
)
_SPELLED = {"UK": "GB"}
_ORDER = ("https", "http", "rsync", "ftp")


class Places:
    """Finds countries: by their code or name, by the ending of a host's name, by its address."""

    def __init__(self, *, dns: bool) -> None:
        """`dns`: names may be looked up."""
        self._countries = Countries()
        self._dns = dns
        self._given: dict[str, str] = {}

    def give(self, text: str) -> None:
        """Take `HOST=CC`, the country of a host, or `CC`, that of all hosts without another.

        Raises ValueError.
        """
        host, _, country = text.rpartition("=")
        code = self.parse(country)
        if code is None:
            raise ValueError(f"{country}: not a country; write two letters, such as DE")
        self._given[host.strip().lower()] = code

    def parse(self, text: str) -> str | None:
        """Return the code of a country that is written in some way; None if it is not one."""
        try:
            return self._countries.parse(text) or None
        except ValueError as error:
            meant = str(error).partition("; ")[2]
            return meant[:2] if meant.endswith("is meant?") else None

    def complete(self, draft: Draft, notes: Notes) -> None:
        """Give a mirror without a country one, and note where it comes from."""
        if draft.country is not None:
            return
        host = next((name for url in draft.urls if (name := host_of(url))), "")
        given = self._given.get(draft.name.lower()) or self._given.get(host)
        for found, why in [(given, "by --country"), *self._guesses(host)]:
            if found:
                draft.country = found
                notes.change("country", draft.place, "", f"{found}, {why}")
                return

    def _guesses(self, host: str) -> list[tuple[str | None, str]]:
        guesses = [(self._by_ending(host), "by the end of its name")]
        if self._dns and not guesses[0][0]:
            guesses.append((_by_address(host), "by its address and the built-in GeoIP"))
        return [*guesses, (self._given.get(""), "by --country")]

    def _by_ending(self, host: str) -> str | None:
        code = host.rpartition(".")[2].upper()
        code = _SPELLED.get(code, code)
        return (
            code if len(code) == 2 and code in self._countries and code not in _ANYWHERE else None
        )


def host_of(url: str) -> str:
    """Return the host of a URL; "" for one that has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _by_address(host: str) -> str | None:
    """Return the country of a host's address, or None."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        module = import_module("iptocc")
    except (OSError, UnicodeError, ImportError):
        return None
    for one in found:
        if country := module.country_code(one[4][0]):
            return str(country)
    return None


def clean_urls(found: list[tuple[str, Place]], notes: Notes) -> list[str]:
    """Return URLs in the order https, http, rsync, ftp, each once, and as URLs are written."""
    urls: list[str] = []
    for text, place in found:
        url = _url(text)
        if url != text:
            notes.change("URL", place, text, url)
        if url.rstrip("/") in (one.rstrip("/") for one in urls):
            notes.leave_out("URL", place, text, "the mirror has it already")
        else:
            urls.append(url)
    return sorted(urls, key=_rank)


def _rank(url: str) -> int:
    scheme = url.partition("://")[0].lower()
    return _ORDER.index(scheme) if scheme in _ORDER else len(_ORDER)


def _url(text: str) -> str:
    """Return a URL; `HOST::MODULE` is rsync's own way to write rsync://HOST/MODULE."""
    host, module, rest = text.removeprefix("rsync://").partition("::")
    if module and "/" not in host:
        return f"rsync://{host}/{rest.lstrip('/')}"
    return text
