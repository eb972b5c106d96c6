"""Our answers beside the incumbent's recorded ones, and that the comparer sees differences."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.comparison import data
from tests.comparison.compare import compare
from tests.comparison.expected import Expected, Ours
from tests.comparison.golden import MOST_BYTES, Recorded, recorded
from tests.comparison.known import KINDS, Judge
from tests.comparison.meaning import Link, Meaning, Reply, Version, read_meaning
from tests.comparison.report import Report, judge_all
from tests.comparison.requests import Request, make_requests

PROTOCOL = Path(__file__).parent.parent / "docs" / "protocol.md"
GERMAN = "&arch=x86_64&ip=198.18.0.1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that both servers read."""
    folder = tmp_path_factory.mktemp("comparison")
    data.write_files(folder)
    return folder


@pytest.fixture(scope="module")
def ours(folder: Path) -> Ours:
    """Our answers from the data."""
    url = f"sqlite:///{data.make_sqlite(folder)}"
    return Ours(data.export_database(url, folder), data.geoip_path(folder))


@pytest.fixture(scope="module")
def judge(ours: Ours, folder: Path) -> Judge:
    """The judge over the data and its variants."""
    variants = data.export_variants(folder).items()
    return Judge(ours, {kinds: Ours(one, data.geoip_path(folder)) for kinds, one in variants})


@pytest.fixture(scope="module")
def golden() -> list[Recorded]:
    """Every recorded request with its answers."""
    return list(recorded())


@pytest.fixture(scope="module")
def report(judge: Judge, golden: list[Recorded]) -> Report:
    """The outcome of the comparison with all recorded answers."""
    report = Report()
    for request, replies in golden:
        report.add(request, *judge_all(judge, request, replies))
    return report


def test_recorded_answers_are_ours(report: Report) -> None:
    """Every recorded answer says what we say, or differs as is known."""
    assert not report.unexplained, report.table()


def test_most_is_recorded(report: Report) -> None:
    """Some hundred answers are equal without any known difference."""
    assert report.compared >= 300
    assert report.equal >= 150


def test_known_differences_occur(report: Report) -> None:
    """Each kind of known difference but rare ones explains a recorded answer."""
    assert len(report.known) >= len(KINDS) - 3, sorted(set(KINDS) - report.known.keys())


def test_recorded_answers_are_small() -> None:
    """The golden files stay under 1 MB together."""
    sizes = [path.stat().st_size for path in Path(__file__).parent.glob("comparison/golden/*")]
    assert 0 < sum(sizes) <= MOST_BYTES + 1000


@pytest.mark.parametrize("kind", KINDS)
def test_known_differences_are_documented(kind: str) -> None:
    """Each known difference has its row in the table of docs/protocol.md."""
    table = PROTOCOL.read_text(encoding="utf-8").partition("\n## Known differences\n")[2]
    assert f"\n| {kind} |" in table


def test_requests_repeat() -> None:
    """The same seed gives the same requests, another one others, none twice."""
    requests = make_requests(2000, 1)
    assert requests == make_requests(2000, 1)
    assert requests != make_requests(2000, 2)
    assert len({*requests}) == 2000


def _metalink(ours: Ours) -> tuple[Expected, Meaning]:
    expected = ours.expect(Request(f"/metalink?repo=fedora-43{GERMAN}"))
    return expected, _spread(expected)


def _text(ours: Ours) -> tuple[Expected, Meaning]:
    expected = ours.expect(Request(f"/mirrorlist?repo=fedora-43{GERMAN}&time=1"))
    return expected, _spread(expected)


def _spread(expected: Expected) -> Meaning:
    """Write an expected answer out in one of the orders that it allows."""
    hosts = [host for tier in expected.tiers for host in sorted(tier, key=repr)]
    links = [
        replace(link, attributes=(*link.attributes, ("preference", str(100 - place))))
        if link.attributes
        else link
        for place, host in enumerate(hosts)
        for link in host
    ]
    sorted_links = [replace(link, attributes=tuple(sorted(link.attributes))) for link in links]
    return replace(expected.meaning, links=tuple(sorted_links))


def _swap_ends(found: Meaning) -> Meaning:
    first, *middle, last = found.links
    return replace(found, links=(last, *middle, first))


def _change_first(**changes: str) -> Callable[[Meaning], Meaning]:
    def change(found: Meaning) -> Meaning:
        first, *others = found.links
        attributes = tuple(sorted((dict(first.attributes) | changes).items()))
        return replace(found, links=(Link(first.url, attributes), *others))

    return change


def _longer_url(found: Meaning) -> Meaning:
    first, *others = found.links
    return replace(found, links=(Link(first.url + "x", first.attributes), *others))


PLANTED: dict[str, tuple[Callable[[Meaning], Meaning], str]] = {
    "status": (lambda found: replace(found, status=404), "status"),
    "type": (lambda found: replace(found, type="text/html"), "type"),
    "one link less": (lambda found: replace(found, links=found.links[1:]), "hosts"),
    "one link twice": (lambda found: replace(found, links=found.links[:1] + found.links), "hosts"),
    "another URL": (_longer_url, "hosts"),
    "an error": (lambda found: replace(found, error="gone"), "error"),
}
PLANTED_TEXT = {
    "order of tiers": (_swap_ends, "tier 0"),
    "subject": (lambda found: replace(found, subject="# path = x "), "subject"),
    "netblock": (lambda found: replace(found, netblock=True), "netblock"),
    "asn": (lambda found: replace(found, asn="1"), "asn"),
    "a country": (lambda found: replace(found, countries=("XX",)), "countries"),
    "protocol": (lambda found: replace(found, protocol="x"), "protocol"),
    "no time": (lambda found: replace(found, time=False), "time"),
}
PLANTED_METALINK = {
    "location": (_change_first(location="XX"), "hosts"),
    "private": (_change_first(private="True"), "hosts"),
    "preference": (_change_first(preference="7"), "hosts"),
    "file": (lambda found: replace(found, file="x"), "file"),
    "file details": (lambda found: replace(found, versions=(Version(()),)), "versions"),
    "document": (lambda found: replace(found, document=()), "document"),
}


@pytest.mark.parametrize("name", [*PLANTED, *PLANTED_TEXT])
def test_planted_in_a_text_list(ours: Ours, name: str) -> None:
    """A difference planted in a text list is seen, in its field."""
    expected, found = _text(ours)
    change, field = {**PLANTED, **PLANTED_TEXT}[name]
    assert compare(expected, found) == []
    assert field in [difference.field for difference in compare(expected, change(found))]


@pytest.mark.parametrize("name", [*PLANTED, *PLANTED_METALINK])
def test_planted_in_a_metalink(ours: Ours, name: str) -> None:
    """A difference planted in a metalink is seen, in its field."""
    expected, found = _metalink(ours)
    change, field = {**PLANTED, **PLANTED_METALINK}[name]
    assert compare(expected, found) == []
    assert field in [difference.field for difference in compare(expected, change(found))]


def test_planted_in_a_recorded_answer(judge: Judge, golden: list[Recorded]) -> None:
    """No known difference explains a URL that is missing from a recorded list."""
    seen = 0
    for request, (reply, *_) in golden[:100]:
        lines = reply.body.split("\n")
        equal = judge.judge(request, read_meaning(reply)) == (frozenset(), [])
        if equal and reply.type == "text/plain" and len(lines) > 4:
            body = "\n".join([*lines[:2], *lines[3:]])
            seen += 1
            assert judge.judge(request, read_meaning(Reply(200, reply.type, None, body)))[1]
    assert seen > 5


def test_redirects_are_compared(ours: Ours) -> None:
    """A redirect to a host that is not of the first tier is seen."""
    expected = ours.expect(Request(f"/mirrorlist?repo=fedora-43{GERMAN}&redirect=1"))
    first, *_, last = (sorted(tier, key=repr) for tier in expected.tiers)
    good = replace(expected.meaning, location=first[0][0].url)
    assert compare(expected, good) == []
    bad = replace(good, location=last[0][0].url)
    assert [difference.field for difference in compare(expected, bad)] == ["location"]
