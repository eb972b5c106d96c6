"""Known differences in the form of an answer: removes the difference from mirrorlist-server's.

Each function leaves an answer unchanged unless it differs exactly as docs/protocol.md says. Only
`hosts_for_others` removes hosts: those that ours says are for other countries.
"""

import re
from collections.abc import Callable
from urllib.parse import quote

from msgspec.structs import replace

from mirrorlist.catalog.urls import URL_SAFE
from mirrorlist.lists.defaults import DEFAULT_MINIMUM
from mirrorlist.replay.meaning import Heading, Link, Meaning, Version
from mirrorlist.replay.request import Request
from mirrorlist.request.commas import elements
from mirrorlist.request.query import (
    FORM_BLANK,
    MAX_LIST_ELEMENTS,
    MAX_PATH_BYTES,
    MAX_VALUE_BYTES,
    echo,
)

Adjust = Callable[[Request, Meaning, Meaning], Meaning]

_BAD_ADDRESS = "Cannot parse client IP address. Aborting."
_UNKNOWN = "error: invalid repo or arch"
_BROKEN = "mirrorlist cache index out of range, you broke it!"
_NO_HOST = re.compile(
    r"error: \S+ is in no category: no host can carry it|error: no active host carries \S+"
    r"|error: \S+ is not known: the repository has no metadata"
)
_NOT_UNDERSTOOD = re.compile(
    r"# (\w+)=: (?:a control character|not valid UTF-8|a % that is not followed by .*"
    rf"|longer than (?:{MAX_VALUE_BYTES}|{MAX_PATH_BYTES}) bytes"
    rf"|more than {MAX_LIST_ELEMENTS} elements)"
)


def type_of_errors(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Give an error on /mirrorlist, or on an unknown path, our Content-Type."""
    if theirs.type is None and theirs.error is not None and not request.is_metalink:
        plain = ours.type in ("text/plain", "text/plain; charset=utf-8")
        return replace(theirs, type=ours.type) if plain else theirs
    return theirs


def unknown_repository(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Take our short list of similar repositories for their list of all repositories."""
    their_first, *known = (theirs.error or "").split("\n")
    first, *suggested = (ours.error or "").split("\n")
    target = their_first.removesuffix(_UNKNOWN)
    is_short = suggested[:1] == [_UNKNOWN] and len(ours.error or "") < 1024
    # mirrorlist-server's list leaves out repositories with a plus sign in their names.
    some = {one for one in suggested if one.startswith("# repo=") and "+" not in one} <= {*known}
    if target != their_first and _repeated(target) == first and is_short and some:
        return replace(theirs, error=ours.error)
    return theirs


def no_host(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Take our 404 for a crash, or for an empty list, where no host can carry the directory."""
    if ours.status != 404 or not _NO_HOST.fullmatch(ours.error or ""):
        return theirs
    is_empty = theirs.status == 200 and theirs.error is None and not theirs.links
    has_none = theirs.error in (_BROKEN, "error: invalid path", "") or (
        theirs.status == 404 and (theirs.error or "").endswith("not found or has not metalink")
    )
    return ours if is_empty or has_none else theirs


def not_understood(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Take our 400 for a value that is too long, or that cannot be decoded."""
    match = _NOT_UNDERSTOOD.fullmatch(ours.error or "")
    if ours.status != 400 or match is None:
        return theirs
    value = request.value(match[1]) or ""
    most = MAX_PATH_BYTES if match[1] == "path" else MAX_VALUE_BYTES
    is_too_long = len(value) > most or value.count(",") >= MAX_LIST_ELEMENTS
    return ours if "%" in value or is_too_long else theirs


def junk_address(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Take our 400 for their 500, or for an error that they found before they read the address."""
    value = request.value("ip") or ""
    if ours.status == 400 and (ours.error or "").startswith("# ip=: not an address: "):
        is_junk = theirs.error == _BAD_ADDRESS or (value and theirs.error is not None)
        return ours if is_junk else theirs
    return theirs


def asn_not_listed(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Remove the ASN from their heading if ours names none and both list the same hosts."""
    if theirs.heading is None or ours.heading is None or ours.heading.asn is not None:
        return theirs
    if theirs.hosts != ours.hosts:
        return theirs
    return replace(theirs, heading=replace(theirs.heading, asn=None))


def countries_once(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Name each country once in the heading."""
    if theirs.heading is None:
        return theirs
    countries = tuple(sorted(set(theirs.heading.countries)))
    return replace(theirs, heading=replace(theirs.heading, countries=countries))


def countries_in_capitals(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Write countries of the database in capitals, in the heading and in the log."""
    heading, log = theirs.heading, theirs.log
    if heading is not None:
        countries = [code if code == "global" else code.upper() for code in heading.countries]
        heading = replace(heading, countries=tuple(sorted(countries)))
    if log:
        log = re.sub("COUNTRY: [a-z]+;", lambda match: f"COUNTRY: {match[0][9:].upper()}", log)
    return replace(theirs, heading=heading, log=log)


def protocol_as_asked(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Repeat protocol= as it was asked, not in lower case, and with its blanks."""
    asked = request.value("protocol")
    if theirs.heading is None or asked is None:
        return theirs
    lower = asked.lower()
    if theirs.heading.protocol not in (lower, ",".join(elements(lower, FORM_BLANK))):
        return theirs
    return replace(theirs, heading=replace(theirs.heading, protocol=asked))


def repeated_text(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Limit the parts of the request that the heading, errors and the log repeat."""
    heading, error, log = theirs.heading, theirs.error, theirs.log
    if heading is not None:
        protocol = heading.protocol and echo(heading.protocol)
        heading = replace(heading, target=_repeated(heading.target), protocol=protocol)
    suffix = " not found or has not metalink"
    if error and error.endswith(suffix):
        directory, slash, file = error.removesuffix(suffix).rpartition("/")
        error = f"{echo(directory)}{slash}{echo(file)}{suffix}"
    if log:
        log = re.sub("(?<=REPO: )(.*)(?=; ARCH)", lambda match: echo(match[0]), log)
        log = re.sub("(?<=ARCH: )(.*)", lambda match: echo(match[0]), log)
    return replace(theirs, heading=heading, error=error, log=log)


def escaped(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Take their document for well-formed, although characters in it are not escaped."""
    # Ours is not well-formed if there is no document, such as in an answer to HEAD.
    return replace(theirs, well_formed=True) if ours.well_formed else theirs


def quoted(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Percent-encode blanks and letters beyond ASCII, except for rsync, which has no escapes."""
    return _with_urls(
        theirs, lambda url: url if url[:6].lower() == "rsync:" else quote(url, safe=URL_SAFE)
    )


def without_double_slashes(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Remove double slashes, which come from a slash at the end of a URL in the database."""
    return _with_urls(theirs, lambda url: re.sub("(?<!:)//+", "/", url))


def hashes_in_lower_case(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Write hashes in lower case."""
    return replace(theirs, versions=tuple(map(_lower, theirs.versions)))


def hosts_for_others(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Remove the hosts that ours lacks, if ours left out as many because of allowed countries."""
    others = theirs.hosts - ours.hosts
    if not others or len(others) > ours.for_other_countries:
        return theirs
    kept = replace(
        theirs,
        links={name: links for name, links in theirs.links.items() if name not in others},
        tiers=tuple(filter(None, (tier - others for tier in theirs.tiers))),
        # Preferences fall from host to host: a shorter list lacks the last ones.
        preferences=theirs.preferences[: len(theirs.preferences) - len(others)],
        heading=_without_countries(theirs.heading, ours.heading, len(others)),
    )
    # With these hosts, theirs had enough; without them, the global tier follows.
    missing = ours.hosts - kept.hosts
    is_global = bool(ours.tiers) and missing <= ours.tiers[-1]
    if missing and is_global and len(kept.hosts) < DEFAULT_MINIMUM <= len(theirs.hosts):
        return replace(
            kept,
            links={**kept.links, **{name: ours.links[name] for name in missing}},
            tiers=(*kept.tiers, missing),
            preferences=ours.preferences,
            heading=_with_countries(kept.heading, ours.heading),
        )
    return kept


def _with_countries(theirs: Heading | None, ours: Heading | None) -> Heading | None:
    return replace(theirs, countries=ours.countries) if theirs and ours else theirs


def _without_countries(theirs: Heading | None, ours: Heading | None, most: int) -> Heading | None:
    """Remove from their heading the countries that ours lacks, at most one for each host."""
    if theirs is None or ours is None:
        return theirs
    gone = {*theirs.countries} - {*ours.countries}
    if len(gone) > most:
        return theirs
    return replace(theirs, countries=tuple(one for one in theirs.countries if one not in gone))


def other_method(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Take our 405 for a method other than GET and HEAD."""
    return ours if request.method not in ("GET", "HEAD") and ours.status == 405 else theirs


def head_is_no_line(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Remove their log line of a HEAD request, because our log has no line for it."""
    return replace(theirs, log="") if request.method == "HEAD" and ours.log == "" else theirs


def crashed_by_header(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Take our answer for their broken connection, if X-Forwarded-For is not ASCII."""
    is_ascii = request.forwarded is None or request.forwarded.isascii()
    return ours if theirs.status == 0 and not is_ascii else theirs


def _repeated(target: str) -> str:
    """Return a heading's first part with its values limited."""
    match = re.fullmatch("# repo = ([^ ]*) arch = ([^ ]*) ", target)
    if match:
        return f"# repo = {echo(match[1])} arch = {echo(match[2])} "
    return f"# path = {echo(target.removeprefix('# path = ').removesuffix(' '))} "


def _with_urls(meaning: Meaning, change: Callable[[str], str]) -> Meaning:
    links: dict[str, tuple[Link, ...]] = {
        host: tuple(replace(link, url=change(link.url)) for link in links)
        for host, links in meaning.links.items()
    }
    return replace(meaning, links=links, redirects=frozenset(map(change, meaning.redirects)))


def _lower(version: Version) -> Version:
    return replace(version, hashes=tuple((kind, text.lower()) for kind, text in version.hashes))
