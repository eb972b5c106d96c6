"""Which request lines and which heads are plain."""

import pytest

from mirrorlist.web import judge
from mirrorlist.web.judge import is_like_probe, judge_line, judge_shape
from snapshot.stats.spool import CLIENTS

MARK = b"\r\nX-Forwarded-For: "
END = b"\r\n"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        pytest.param(b"GET /metalink?repo=a HTTP/1.1", (True, b"repo=a"), id="metalink"),
        pytest.param(b"GET /mirrorlist HTTP/1.1", (False, b""), id="no query"),
        pytest.param(b"GET /a/b/mirrorlist?? HTTP/1.1", (False, b"?"), id="prefix"),
        pytest.param(b"GET http://a/metalink?x HTTP/1.1", (True, b"x"), id="absolute"),
        pytest.param(b"HEAD /metalink HTTP/1.1", None, id="HEAD"),
        pytest.param(b"POST /metalink HTTP/1.1", None, id="POST"),
        pytest.param(b"GET /metalink HTTP/1.0", None, id="HTTP/1.0"),
        pytest.param(b"GET  /metalink HTTP/1.1", None, id="two blanks"),
        pytest.param(b"GET /metalink HTTP/1.1 ", None, id="a blank behind"),
        pytest.param(b"GET /metalink?a#b HTTP/1.1", None, id="fragment"),
        pytest.param(b"GET /\xe4/metalink HTTP/1.1", None, id="path not ASCII"),
        pytest.param(b"GET /metalinks HTTP/1.1", None, id="another path"),
        pytest.param(b"GET /metalink?a\nHost: b HTTP/1.1", None, id="a line end within"),
        pytest.param(b"GE", None, id="half a method"),
        pytest.param(b"", None, id="nothing"),
    ],
)
def test_lines(line: bytes, found: object) -> None:
    """A plain line is a GET of HTTP/1.1 for a list, as httptools hears it."""
    assert judge_line(line) == found


@pytest.mark.parametrize(
    "odd",
    [
        *(b"", b"GE", b"GET /metalink HTTP/1.0", b"GET /metalink?a\nHost: b HTTP/1.1"),
        *(b"GET /metalink HTTP/1.1\r\n\r\nGET /metalink?b", b"GET /\0metalink HTTP/1.1"),
        *(b"GET /metalink?a HTTP/1.1\r\nConnection: close", b"PUT /metalink HTTP/1.1"),
        *(b"GET /metalink HTTP/1.1\r\nContent-Length: 9", b"GET /metalink"),
        b"GET /metalink HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: a",
        b"GET /metalink HTTP/1.1\r\nTransfer-Encoding: chunked",
    ],
)
def test_no_line_is_judged_by_another(odd: bytes) -> None:
    """A line is heard as if none had come before it, whatever was odd about that one."""
    for line, found in ((b"GET /metalink?%d HTTP/1.1" % one, b"%d" % one) for one in range(3)):
        assert judge_line(odd) is None
        assert judge_line(line) == (True, found)
        assert judge_line(line) == (True, found)


@pytest.mark.parametrize(("more", "is_plain"), [(0, True), (1, False)])
def test_the_longest_line(more: int, is_plain: bool) -> None:
    """A request line may have 512 bytes, and not one byte more."""
    line = b"GET /metalink?%b HTTP/1.1" % (b"x" * (judge.MOST_LINE_BYTES - 23 + more))
    assert len(line) == judge.MOST_LINE_BYTES + more
    assert (judge_line(line) is not None) is is_plain


@pytest.mark.parametrize(
    ("before", "mark", "after", "keep_alive"),
    [
        pytest.param(b"\r\nHost: a", MARK, END, True, id="usual"),
        pytest.param(b"", MARK, b"Connection: close\r\n\r\n", False, id="close"),
        pytest.param(b"", b"\r\nx-FORWARDED-for: ", END, True, id="spelt otherwise"),
        pytest.param(b"\r\nHost: a\r\n\r\n", b"", b"", True, id="nobody is named"),
        pytest.param(b"\r\nVia: 1.1 a\r\n\r\n", b"", b"", None, id="a proxy that names nobody"),
        pytest.param(b"\r\nVia: 1.1 a", MARK, END, True, id="a proxy that names somebody"),
        pytest.param(b"\r\nX-Forwarded-For: \r\n\r\n", b"", b"", None, id="an empty name"),
        pytest.param(b"\r\nX-Forwarded-For: a", MARK, END, None, id="two lines"),
        pytest.param(b"", MARK, b" folded\r\n\r\n", None, id="a folded line"),
        pytest.param(b"\r\nContent-Length: 0", MARK, END, None, id="a length"),
        pytest.param(b"\r\nTransfer-Encoding: chunked", MARK, END, None, id="chunks"),
        pytest.param(b"\r\nExpect: 100-continue", MARK, END, None, id="expect"),
        pytest.param(b"\r\nUpgrade: h2c", MARK, END, None, id="upgrade"),
        pytest.param(b"\r\nno header", MARK, END, None, id="junk"),
        pytest.param(b"\r\nHost: a", MARK, b"X: y\r\n", None, id="no end"),
        pytest.param(b"\r\nHost: a", MARK, b"\r\nGET / HTTP/1.1\r\n\r\n", None, id="two requests"),
    ],
)
def test_shapes(before: bytes, mark: bytes, after: bytes, keep_alive: bool | None) -> None:
    """A plain head has at most one X-Forwarded-For line, and neither a body nor an upgrade."""
    found = judge_shape(before, mark, after)
    assert (found.keep_alive if found else None) is keep_alive


@pytest.mark.parametrize(
    ("agent", "software"),
    [
        pytest.param(b"\r\nUser-Agent: libdnf (Fedora Linux 41; server)", "dnf", id="dnf"),
        pytest.param(b"\r\nuser-agent: libdnf5/5.2.8 (Fedora Linux 41; server)", "dnf5", id="dnf5"),
        pytest.param(b"\r\nUSER-AGENT: urlgrabber/3.10 yum/3.4.3", "yum", id="yum"),
        pytest.param(b"\r\nUser-Agent: ZYpp 17.31.0 (curl 8.0.1)", "zypper", id="zypper"),
        pytest.param(b"\r\nUser-Agent: librepo/1.18", "librepo", id="librepo"),
        pytest.param(b"\r\nUser-Agent: curl/8 libdnf", "other", id="in the middle"),
        pytest.param(b"\r\nUser-Agent:", "other", id="empty"),
        pytest.param(b"", "other", id="without"),
    ],
)
def test_software(agent: bytes, software: str) -> None:
    """A shape has the family of its User-Agent, before or behind the addresses."""
    behind = agent.removeprefix(END) + END * bool(agent) + END
    alone = agent + b"\r\nHost: a\r\n\r\n"
    for parts in ((agent, MARK, END), (b"", MARK, behind), (alone, b"", b"")):
        found = judge_shape(*parts)
        assert found is not None
        assert CLIENTS[found.software] == software


@pytest.mark.parametrize(("more", "is_plain"), [(0, True), (1, False)])
def test_the_largest_shape(more: int, is_plain: bool) -> None:
    """The rest of a head may have 2,048 bytes and 40 lines, and not one more."""
    filled = judge.MOST_SHAPE_BYTES - len(b"\r\nX: \r\n\r\n")
    before = b"\r\nX: %b\r\n\r\n" % (b"y" * (filled + more))
    assert (judge_shape(before, b"", b"") is not None) is is_plain
    lines = b"\r\nX: y" * (judge.MOST_SHAPE_LINES + more) + b"\r\n\r\n"
    assert (judge_shape(lines, b"", b"") is not None) is is_plain


@pytest.mark.parametrize(
    ("value", "is_like"),
    [
        (b"192.0.2.7", True),
        (b"2001:db8::7, 10.0.0.1", True),
        (b"1" * 78, True),
        (b"1" * 79, False),
        (b"", False),
        (b" 192.0.2.7", False),
        (b"192.0.2.7 ", False),
        (b"192.0.2.7\t", False),
        (b"unknown", False),
        (b"192.0.2.7\n", False),
        (b"192.0.2.7\0", False),
    ],
)
def test_values(value: bytes, is_like: bool) -> None:
    """Only addresses without blanks at the edges, of a probe's length at most, change nothing."""
    assert is_like_probe(value) is is_like
