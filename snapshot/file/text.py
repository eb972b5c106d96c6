"""Cleans text that comes from a database before it can reach a list or a terminal."""

import re

# Source: docs/protocol.md#values. One of these in a list would start a line of its own.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# XML 1.0 has no way to write these two.
_NOT_XML = re.compile("[\ufffe\uffff]")
# What no list can have in a line as it is.
UNWRITABLE = re.compile(f"{CONTROL.pattern}|{_NOT_XML.pattern}")
# What a paste brings along, all of it unseen: spaces of each width, a byte order mark, what joins
# or parts letters, what turns the direction of text.
_INVISIBLE = "\xad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
_BLANKS = rf"(?:[ \t\r\n\xa0\u1680\u2000-\u200a\u202f\u205f\u3000{_INVISIBLE}])+"
_AROUND = re.compile(rf"\A{_BLANKS}|{_BLANKS}\Z")
_SURROGATE = re.compile("[\ud800-\udfff]")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/\s]+")


def refuse_control(text: object, what: str) -> str:
    """Return the text; ValueError if it is none, has a control character or broken UTF-8."""
    if not isinstance(text, str):
        # NULL where MirrorManager allows none, or anything at all in a column of SQLite.
        raise ValueError(f"{what} is not text")
    if CONTROL.search(text):
        raise ValueError(f"{what} has a control character")
    if _NOT_XML.search(text):
        raise ValueError(f"{what} has a character that XML cannot hold")
    if _SURROGATE.search(text):
        raise ValueError(f"{what} is not valid UTF-8")
    return text


def printable(text: object) -> str:
    """Return the text with `?` for control characters and broken UTF-8, empty if it is none."""
    if not isinstance(text, str):
        return ""
    return _SURROGATE.sub("?", CONTROL.sub("?", text))


def trimmed(text: str) -> str:
    """Return a text without the blanks around it, those that nobody sees among them."""
    # Nearly every text has none, and is looked at once for each row.
    return text if text.isascii() and text == text.strip() else _AROUND.sub("", text)


def stripped(text: object, what: str) -> str:
    """Return a name that somebody typed without the blanks around it; raises as `refuse_control`.

    Source: docs/mirrormanager.md#blanks-around-what-was-typed.
    """
    return refuse_control(trimmed(text) if isinstance(text, str) else text, what)


def without_userinfo(text: str) -> str:
    """Return a URL or an address for people, with `***` for all before its last @."""
    scheme, mark, rest = text.partition("://")
    if not mark or "@" in scheme:
        scheme, mark, rest = "", "", text
    _, at, address = rest.rpartition("@")
    return f"{scheme}{mark}***@{address}" if at else text


def clean_url(text: object) -> str:
    """Return a URL without surrounding blanks and trailing slashes; ValueError if unusable.

    Source: docs/mirrormanager.md#urls-of-hosts. A blank within the URL is refused too, because
    no client can use it: docs/clients.md#urls-without-blanks-around-them.
    """
    if text is None:
        raise ValueError("no URL")
    if isinstance(text, str):
        text = text.strip(" \t")
    url = trimmed(refuse_control(text, "URL")).rstrip("/")
    if not _URL.match(url):
        raise ValueError("URL without scheme or host")
    if any(character.isspace() for character in url):
        raise ValueError("URL with a blank in it")
    return url
