"""Regular expressions as scan-primary-mirror's configuration has them, compiled once.

They are written for Rust's regex crate. What Python writes in another way is translated.
"""

import re
import signal
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from re import Match, Pattern

from snapshot.file.errors import ScanSettingsError

# (?<name>...) is (?P<name>...) in Python; a lookbehind, (?<= or (?<!, is not in Rust.
_GROUP = re.compile(r"\(\?<(?=[A-Za-z_])")
_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "word": r"\w",
    "space": r"\s",
    "xdigit": "0-9a-fA-F",
}
_CLASS = re.compile(rf"\[:({'|'.join(_CLASSES)}):\]")
# A pair of characters with a backslash, so that an escaped backslash is never taken for half, and a
# set of characters, in which a plus sign is one.
_PARTS = re.compile(r"\\(.)|\[\^?\]?(?:[^\]\\]|\\.)*\]|((?:[*+?]|\{\d+,?\d*\})\+)|(\$)", re.DOTALL)
_BY_LINE = re.compile(r"\(\?[a-z]*m")
# Rust's words for what is not in Python, or has another meaning there.
_FOREIGN = re.compile(r"\\[<>]|\\[bB]\{")
# No pattern for a path takes a thousandth of this, unless it tries all ways to fail.
_MOST_SECONDS = 5.0
# $name takes as many characters as it can, as in Rust: $1st is the group `1st`.
_REFERENCE = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))")


def compiled(pattern: str, where: str) -> Pattern[str]:
    """Compile a pattern; raises ScanSettingsError, which names its place in the configuration."""
    text = _CLASS.sub(lambda found: _CLASSES[found[1]], _GROUP.sub("(?P<", pattern))
    try:
        # A warning is about a set of sets, which Rust understands and Python does not.
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return re.compile(_PARTS.sub(_translated, text))
    except (re.error, Warning, OverflowError, RecursionError) as error:
        raise ScanSettingsError(f"{where}: {pattern}: not a regular expression: {error}") from error


def _translated(found: Match[str]) -> str:
    """Return a part of a pattern in Python's words; raises re.error for what has none."""
    if found[2]:
        raise re.error("a repetition of a repetition; put the inner one in a group")
    after = found.string[found.start() : found.end() + 1]
    if _FOREIGN.match(after):
        raise re.error(f"{after} is not known here")
    # Python's $ also fits before a last line feed.
    is_end = found[1] == "z" or (found[3] and not _BY_LINE.search(found.string))
    return r"\Z" if is_end else found[0]


def first_found(patterns: Iterable[Pattern[str]], path: str) -> int | None:
    """Return the number of the first pattern that is found in a path, from 0; None without one.

    Rust takes a time that grows with the path; Python may try all ways to fail, for years. So a
    search of seconds raises ScanSettingsError, but in a thread, where no signal arrives.
    """
    if threading.current_thread() is not threading.main_thread():
        return _first(patterns, path, [""])
    tried = [""]

    def end(*_: object) -> None:
        raise ScanSettingsError(
            f"{tried[0]}: takes more than {_MOST_SECONDS:g} s at {path}; write it without"
            " repetitions in each other"
        )

    # The process's own time: a busy machine ends no search.
    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, _MOST_SECONDS)
    try:
        return _first(patterns, path, tried)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _first(patterns: Iterable[Pattern[str]], path: str, tried: list[str]) -> int | None:
    for number, pattern in enumerate(patterns):
        tried[0] = pattern.pattern
        if pattern.search(path):
            return number
    return None


def replaced(pattern: Pattern[str], path: str, template: str) -> str:
    """Return a path whose first match is replaced by a template with $1, $name or ${name}."""
    return pattern.sub(_filled(template), path, count=1)


def _filled(template: str) -> Callable[[Match[str]], str]:
    def fill(match: Match[str]) -> str:
        return _REFERENCE.sub(lambda found: _value(found, match), template)

    return fill


def _value(found: Match[str], match: Match[str]) -> str:
    if found[0] == "$$":
        return "$"
    name = found[1] or found[2]
    groups: Mapping[str, str | None] = match.groupdict()
    if name in groups:
        return groups[name] or ""
    # A group that is not there is empty, as in Rust.
    is_number = name.isascii() and name.isdigit() and len(name) < 5
    return match[int(name)] or "" if is_number and int(name) <= match.re.groups else ""
