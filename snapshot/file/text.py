"""Cleans text that comes from a database before it can reach a list or a terminal."""

import re

# Source: docs/protocol.md#values. Any of these in a list would start a new line.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# XML 1.0 has no way to write these two.
_NOT_XML = re.compile("[\ufffe\uffff]")
# The characters that a line of a list cannot hold.
UNWRITABLE = re.compile(f"{CONTROL.pattern}|{_NOT_XML.pattern}")
# Invisible characters that pasted text may bring: spaces of each width, a byte order mark,
# joiners and separators of letters, and marks that turn the direction of text.
_INVISIBLE = "\xad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
_BLANKS = rf"(?:[ \t\r\n\xa0\u1680\u2000-\u200a\u202f\u205f\u3000{_INVISIBLE}])+"
_AROUND = re.compile(rf"\A{_BLANKS}|{_BLANKS}\Z")
_SURROGATE = re.compile("[\ud800-\udfff]")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/\s]+")


def refuse_control(text: object, what: str) -> str:
    """Return the text; ValueError if it is not text, has a control character or broken UTF-8."""
    if not isinstance(text, str):
        # NULL, which MirrorManager forbids here, or another type: SQLite's columns take any.
        raise ValueError(f"{what} is not text")
    if CONTROL.search(text):
        raise ValueError(f"{what} has a control character")
    if _NOT_XML.search(text):
        raise ValueError(f"{what} has a character that XML cannot hold")
    if _SURROGATE.search(text):
        raise ValueError(f"{what} is not valid UTF-8")
    return text


def printable(text: object) -> str:
    """Return the text with `?` for control characters and broken UTF-8; "" if it is not text."""
    if not isinstance(text, str):
        return ""
    return _SURROGATE.sub("?", CONTROL.sub("?", text))


def trimmed(text: str) -> str:
    """Return a text without the blanks around it, invisible characters included."""
    # The fast way first: nearly every text has no blanks, and every row's text comes here.
    return text if text.isascii() and text == text.strip() else _AROUND.sub("", text)


def stripped(text: object, what: str) -> str:
    """Return a typed name without the blanks around it; raises what `refuse_control` raises.

    Source: docs/mirrormanager.md#blanks-around-what-was-typed.
    """
    return refuse_control(trimmed(text) if isinstance(text, str) else text, what)


def without_userinfo(text: str) -> str:
    """Return a URL or an address for people, with `***` for the user and password before its @."""
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
    if url.split() != [url]:
        raise ValueError("URL with a blank in it")
    return url
