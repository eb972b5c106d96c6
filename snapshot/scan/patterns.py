"""Regular expressions as scan-primary-mirror's configuration has them, compiled once.

They are written for Rust's regex crate. What Python writes in another way is translated.
"""

import re
from collections.abc import Callable, Mapping
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
# A pair of characters with a backslash, so that an escaped backslash is never taken for half.
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
# $name takes as many characters as it can, as in Rust: $1st is the group `1st`.
_REFERENCE = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))")


def compiled(pattern: str, where: str) -> Pattern[str]:
    """Compile a pattern; raises ScanSettingsError, which names its place in the configuration."""
    text = _CLASS.sub(lambda found: _CLASSES[found[1]], _GROUP.sub("(?P<", pattern))
    text = _ESCAPED.sub(lambda found: r"\Z" if found[1] == "z" else found[0], text)
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ScanSettingsError(f"{where}: {pattern}: not a regular expression: {error}") from error


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
    return match[int(name)] or "" if name.isdigit() and int(name) <= match.re.groups else ""
