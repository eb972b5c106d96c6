"""Text from a database: cleaned or refused before it can reach a list or a terminal."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.file.text import clean_url, printable, refuse_control, stripped

# Source: docs/protocol.md#values.
CONTROL = [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029]
SURROGATES = range(0xD800, 0xE000)


@pytest.mark.parametrize(
    "blank",
    [
        " ",
        "\t",
        "\r\n",
        *"\xa0\u2003\u202f\u3000\xad\u180e\u200b\u200c\u200d\u200e\u202a\u2060\ufeff",
    ],
    ids=ascii,
)
def test_what_nobody_sees_around_a_name(blank: str) -> None:
    """Spaces of each width, joiners and marks of direction go from the ends alone."""
    if blank >= " ":
        assert stripped(f"{blank}a{blank}b{blank} ", "a name") == f"a{blank}b"
    assert stripped(f"{blank} linux-40 {blank}", "a name") == "linux-40"
    assert stripped(blank, "a name") == ""


def test_each_control_character() -> None:
    """Exactly these characters are refused and shown as `?`: controls and broken UTF-8."""
    bad = {*CONTROL, *SURROGATES}
    shown = printable("".join(map(chr, range(sys.maxunicode + 1))))
    changed = {code for code, one in enumerate(shown) if one == "?"} - {ord("?")}
    assert changed == bad, [f"U+{code:04X}" for code in changed ^ bad]
    for code in (0xFFFE, 0xFFFF):
        with pytest.raises(ValueError, match="a name has a character that XML cannot hold"):
            refuse_control(f"x{chr(code)}", "a name")
    for code in bad:
        with pytest.raises(ValueError, match=r"^a name (has a control|is not valid)"):
            refuse_control(f"x{chr(code)}y", "a name")


@given(st.text())
def test_what_is_left(text: str) -> None:
    """What was made printable is never refused, is as long, and can be written as UTF-8."""
    shown = printable(text)
    assert refuse_control(shown, "text") == shown
    assert len(shown) == len(text)
    assert shown.encode().decode() == shown


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://a.example", "http://a.example"),
        ("http://a.example/", "http://a.example"),
        ("http://a.example/x//", "http://a.example/x"),
        ("  https://a.example/x \t", "https://a.example/x"),
        ("rsync://a.example/x", "rsync://a.example/x"),
        ("ftp://u@a.example:21/x?y=1&z", "ftp://u@a.example:21/x?y=1&z"),
        ("http://[2001:db8::1]:8080/x", "http://[2001:db8::1]:8080/x"),
        ("http://пример.example/ä", "http://пример.example/ä"),
        ("HTTP://A.example/X", "HTTP://A.example/X"),
        ("\ufeffhttp://a.example/x\u00a0", "http://a.example/x"),
    ],
)
def test_clean_url(text: str, url: str) -> None:
    """Surrounding blanks and trailing slashes go; the rest stays as it is."""
    assert clean_url(text) == url


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(None, "no URL", id="NULL"),
        pytest.param("", "without scheme or host", id="empty"),
        pytest.param("/", "without scheme or host", id="slash"),
        pytest.param("a.example/x", "without scheme or host", id="no scheme"),
        pytest.param("://a.example", "without scheme or host", id="empty scheme"),
        pytest.param("1http://a.example", "without scheme or host", id="scheme from a number"),
        pytest.param("http:/a.example", "without scheme or host", id="one slash"),
        pytest.param("http:///x", "without scheme or host", id="no host"),
        pytest.param("mailto:a@b.example", "without scheme or host", id="no slashes"),
        pytest.param("http://a.example/x y", "with a blank in it", id="blank"),
        pytest.param("http://a.example/x\u00a0y", "with a blank in it", id="no-break space"),
        pytest.param("http://a.example/\n", "has a control character", id="line feed at the end"),
        pytest.param("\r\nhttp://a.example", "has a control character", id="line end before"),
        pytest.param("http://a.example/\uffff", "XML cannot hold", id="no character of XML"),
        pytest.param(b"http://a.example", "URL is not text", id="bytes"),
        pytest.param("http://a.example/\udcff", "is not valid UTF-8", id="broken UTF-8"),
    ],
)
def test_refused_url(text: object, reason: str) -> None:
    """What no client could use, or would start a line of its own, is refused with its reason."""
    with pytest.raises(ValueError, match=reason):
        clean_url(text)


@given(st.text())
def test_any_url(text: str) -> None:
    """Whatever the text, the URL is one word with a scheme and a host, or there is none."""
    try:
        url = clean_url(text)
    except ValueError:
        return
    scheme, _, rest = url.partition("://")
    assert scheme
    assert rest.split("/")[0]
    assert len(url.split()) == 1
    assert clean_url(url) == url
