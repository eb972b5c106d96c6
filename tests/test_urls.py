"""A host's URLs: which protocols, how many, and the path behind them."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.catalog.urls import Url, first, make_url, offered, path_below

RSYNC, HTTPS, HTTP = (make_url(f"{p}://a.example/x") for p in ("rsync", "https", "http"))
HTTPS2 = make_url("https://b.example/x")
ALL = (RSYNC, HTTPS, HTTPS2, HTTP)


@pytest.mark.parametrize(
    ("text", "protocol"),
    [
        pytest.param("http://a.example/x", "http", id="http"),
        pytest.param("HTTPS://a.example", "https", id="capitals"),
        pytest.param("rsync://a.example::module", "rsync", id="rsync"),
        pytest.param("ftp://user:word@a.example:21/x", "ftp", id="more colons"),
    ],
)
def test_protocol(text: str, protocol: str) -> None:
    """A URL's protocol is what stands before its first colon, in lower case."""
    assert make_url(text) == Url(protocol, text)


@pytest.mark.parametrize(
    ("subpath", "file", "expected"),
    [
        pytest.param("", None, "/", id="topdir"),
        pytest.param("", "f", "/f", id="file in the topdir"),
        pytest.param("40/os", None, "/40/os/", id="directory"),
        pytest.param("40/os", "repomd.xml", "/40/os/repomd.xml", id="file"),
        pytest.param("a b", "c d", "/a%20b/c%20d", id="blanks"),
        pytest.param("a+b", "libstdc++.rpm", "/a+b/libstdc++.rpm", id="plus"),
        pytest.param("a&b", None, "/a&b/", id="ampersand"),
        pytest.param("a%20b", None, "/a%2520b/", id="percent sign"),
        pytest.param("é", "ü", "/%C3%A9/%C3%BC", id="beyond ASCII"),
        pytest.param('a"b<c>d', None, "/a%22b%3Cc%3Ed/", id="quote and brackets"),
        pytest.param("a?b#c", None, "/a%3Fb%23c/", id="question mark and hash"),
        pytest.param("a;b=c,d@e:f~g^h", None, "/a;b=c,d@e:f~g%5Eh/", id="other signs"),
    ],
)
def test_path_below(subpath: str, file: str | None, expected: str) -> None:
    """A directory ends with a slash, a file does not; only what a URL cannot have is encoded."""
    assert path_below(subpath, file).encoded == expected


@given(st.text(st.characters(codec="utf-8"), max_size=20), st.text("ab/ +", min_size=1, max_size=9))
def test_path_below_any_names(subpath: str, file: str) -> None:
    """A path is ASCII without blanks and quotes, and decodes to what it was made of."""
    path = path_below(subpath, file).encoded
    assert path.isascii()
    assert not set(path) & set(' "<>\n\r\t')
    assert unquote(path) == "/" + "/".join(part for part in (subpath, file) if part)


@pytest.mark.parametrize(
    ("subpath", "file", "expected"),
    [
        pytest.param("", None, "/", id="topdir"),
        pytest.param("40/os", "passt-0^20250503-1.rpm", "/40/os/passt-0^20250503-1.rpm", id="^"),
        pytest.param("a b", "c d", "/a b/c d", id="blanks"),
        pytest.param("é", "x%41.iso", "/é/x%41.iso", id="beyond ASCII, percent sign"),
        pytest.param("a ", None, "/a /", id="a directory with a blank at its end"),
        pytest.param("a", "b ", None, id="a file with a blank at its end"),
        pytest.param("a", "b\u00a0", None, id="a file with another blank at its end"),
        pytest.param("a\nhttp://x", None, None, id="a line feed"),
        pytest.param("a\u2028", "b", None, id="a line separator"),
        pytest.param("a", "b\uffffc", None, id="what XML cannot hold"),
    ],
)
def test_raw_path_below(subpath: str, file: str | None, expected: str | None) -> None:
    """Behind rsync names are as they are; it has no URL where a list could not show that."""
    path = path_below(subpath, file)
    assert path.raw == expected
    url = make_url("RSYNC://a.example/%41")
    if expected is not None:
        assert path.behind(url) == f"RSYNC://a.example/%41{expected}"
    assert path.behind(HTTPS) == f"https://a.example/x{path.encoded}"


@pytest.mark.parametrize(
    ("protocols", "expected"),
    [
        pytest.param(None, ALL, id="none named: all"),
        pytest.param({"https"}, (HTTPS,), id="one name, one URL"),
        pytest.param({"https", "http"}, (HTTPS, HTTPS2), id="two names, the first two"),
        pytest.param({"https", "http", "ftp"}, (HTTPS, HTTPS2, HTTP), id="three names"),
        pytest.param({"http", "rsync"}, (RSYNC, HTTP), id="in the order of the host"),
        pytest.param({"gopher"}, (), id="a protocol that the host has not"),
        pytest.param({""}, (), id="empty"),
    ],
)
def test_offered(protocols: set[str] | None, expected: tuple[Url, ...]) -> None:
    """protocol= keeps the first n URLs of the protocols named, n being their number."""
    named = None if protocols is None else frozenset(protocols)
    assert tuple(offered(ALL, named, len(named or ()))) == expected


@pytest.mark.parametrize(
    ("urls", "expected"),
    [
        pytest.param(ALL, [HTTPS], id="first of several"),
        pytest.param((HTTP, HTTPS), [HTTP], id="in the order of the host"),
        pytest.param((RSYNC,), [], id="none of them"),
        pytest.param((), [], id="no URL"),
    ],
)
def test_first(urls: tuple[Url, ...], expected: list[Url]) -> None:
    """The first URL of one of the protocols, or nothing."""
    assert list(first(urls, frozenset(("http", "https")))) == expected
