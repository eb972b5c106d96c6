"""What is recognised, what is learned, and what that takes."""

import random

import pytest

from mirrorlist.request.software import OTHER_SOFTWARE
from mirrorlist.web import shapes
from mirrorlist.web.judge import Shape, judge_shape
from mirrorlist.web.shapes import Recogniser, Request
from tests.shape_mutants import disagreements

HEAD = b"GET /metalink?repo=%b HTTP/1.1\r\nHost: a\r\n%b\r\n"
FORWARDED = b"X-Forwarded-For: 192.0.2.7\r\n"
KEY = (True, b"repo=a")
OPEN = Shape(keep_alive=True, software=OTHER_SOFTWARE)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was judged, in its order; the judge himself is the real one."""
    found: list[object] = []

    def judge(before: bytes, mark: bytes, after: bytes) -> Shape | None:
        found.append((before, mark, after))
        return judge_shape(before, mark, after)

    monkeypatch.setattr(shapes, "judge_shape", judge)
    return found


def test_nothing_is_judged_twice(judged: list[object]) -> None:
    """A head that came before is known, whatever address stands in it."""
    recogniser = Recogniser()
    for number in range(20):
        line = b"X-Forwarded-For: 192.0.2.%d\r\n" % number
        found = recogniser.recognise(HEAD % (b"a", line))
        assert found == Request(KEY, (b"192.0.2.%d" % number,), OPEN)
        found = recogniser.recognise(HEAD % (b"a", b"Connection: close\r\n"))
        assert found == Request(KEY, (), OPEN._replace(keep_alive=False))
    assert len(judged) == 2


def test_two_spellings(judged: list[object]) -> None:
    """Proxies that spell the header's name each in its own way are both recognised, always."""
    recogniser = Recogniser()
    for name in (b"X-Forwarded-For", b"x-forwarded-for", b"X-FORWARDED-FOR") * 5:
        found = recogniser.recognise(HEAD % (b"a", name + b": 192.0.2.7\r\n"))
        assert found == Request(KEY, (b"192.0.2.7",), OPEN)
    assert len(judged) == 3


def test_a_shape_is_not_taken_for_a_head_without_a_gap() -> None:
    """A value that reads like the header behind it names a client, as before."""
    recogniser = Recogniser()
    gap = b"x-forwarded-for: %bFoo: b\r\n"
    assert recogniser.recognise(HEAD % (b"a", gap % b"192.0.2.7\r\n")) is not None
    assert recogniser.recognise(HEAD % (b"a", FORWARDED)) is not None
    assert recogniser.recognise(HEAD % (b"a", gap % b"")) is None


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(HEAD[:-2] % (b"a", b""), id="no end"),
        pytest.param(HEAD % (b"a", b"") * 2, id="two"),
        pytest.param(HEAD % (b"a", b"") + b"x", id="more behind"),
        pytest.param(b"\r\n" + HEAD % (b"a", b""), id="a line end before"),
        pytest.param(HEAD % (b"a", b"X-Forwarded-For: unknown\r\n"), id="no address"),
        pytest.param(HEAD % (b"a", FORWARDED * 2), id="two lines"),
        pytest.param(HEAD % (b"a", b"X-Forwarded-For:192.0.2.7\r\n"), id="no blank"),
        pytest.param(HEAD % (b"a", b"Content-Length: 3\r\n") + b"abc", id="a body"),
        pytest.param(b"abc", id="three bytes"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\r\n\r\n", id="line ends"),
    ],
)
def test_what_is_not_recognised(sent: bytes) -> None:
    """Anything else than one plain request as a whole is for the full protocol."""
    recogniser = Recogniser()
    for _ in range(3):
        assert recogniser.recognise(sent) is None
        assert recogniser.recognise(HEAD % (b"a", FORWARDED)) is not None


def test_a_header_that_differs_in_each_request(judged: list[object]) -> None:
    """Each of these requests is recognised, and shapes that came before stay known meanwhile."""
    recogniser, count = Recogniser(), 5000
    for number in range(count):
        assert recogniser.recognise(HEAD % (b"a", b"X-Request-Id: %d\r\n" % number)) is not None
        if number % 100 == 0:
            assert recogniser.recognise(HEAD % (b"a", FORWARDED)) is not None
    assert len(judged) == count + 1


def test_memory() -> None:
    """However many lines and shapes come, and however long they are, what is known is bounded."""
    recogniser = Recogniser()
    for number in range(8000):
        query = b"%d" % number + b"x" * 400
        recogniser.recognise(HEAD % (query, b""))
        recogniser.recognise(HEAD % (b"a", b"X: %d%b\r\n" % (number // 20, b"y" * 1500)))
        assert recogniser.size <= shapes.LINES_BYTES + shapes.SHAPES_BYTES
    assert recogniser.size > shapes.LINES_BYTES // 2


def test_what_is_in_use_is_not_forgotten(judged: list[object]) -> None:
    """A request that comes now and then stays known among those that come once."""
    recogniser = Recogniser()
    for number in range(8000):
        recogniser.recognise(HEAD % (b"%d" % number + b"x" * 400, b""))
        assert recogniser.recognise(HEAD % (b"a", FORWARDED)) is not None
    assert len(judged) == 2


def test_mutants() -> None:
    """Of 2,000 admitted mutants of real heads each means the same to the full protocol."""
    made, wrong = disagreements(random.randrange(1 << 32), 2000)
    assert wrong == []
    assert made > 2000
