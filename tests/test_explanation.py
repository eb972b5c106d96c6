"""An explanation as text: narrow, grouped by rule, what was only too far away last."""

import pytest

from mirrorlist.lists.explanation import (
    ClientSeen,
    Excluded,
    Explanation,
    Listed,
    SnapshotUsed,
    as_text,
)
from mirrorlist.lists.selection import Tier
from snapshot.file.reasons import Reason

PATH = "/linux/development/rawhide/Everything/x86_64/os/repodata/repomd.xml"
FAR = "at least 5 nearer hosts carry this, so the global tier was not needed"


def _far(n: int, country: str) -> Excluded:
    reason = f"in {country}: {FAR}"
    return Excluded(n, f"far{n}.example", reason, country, Reason.ENOUGH_NEARER)


def _found() -> Explanation:
    listed = [
        Listed(
            n, f"mirror{n}.example", Tier.COUNTRY, [f"https://mirror{n}.example/pub{n}{PATH}"], "DE"
        )
        for n in range(9)
    ]
    far = [_far(n, "US" if n % 3 else "FR") for n in range(100, 142)]
    old, code = "not up to date in this directory", Reason.NOT_UP_TO_DATE
    other = [Excluded(n, f"old{n}.example", old, "", code) for n in range(20)]
    client = ClientSeen("192.0.2.1", "--ip", "DE", "GeoIP", "EU", None)
    return Explanation(SnapshotUsed("ab" * 16, 5), client, "pub", "repomd.xml", listed, far + other)


@pytest.mark.parametrize("width", [60, 80, 250])
def test_lines_fit(width: int) -> None:
    """No line is wider than asked for, but for the one with the common path."""
    lines = as_text(_found(), width).splitlines()
    assert [line for line in lines if len(line) > width and PATH not in line] == []


def test_the_common_path_stands_once() -> None:
    """What all URLs end with is said once, and each host shows the rest with its country."""
    text = as_text(_found())
    assert text.count(PATH) == 1
    assert "1  country  DE  mirror0.example  https://mirror0.example/pub0\n" in text


def test_far_hosts_are_counted_and_last() -> None:
    """A rule stands once with its count; hosts that are too far away are counted by country."""
    text = as_text(_found(), 200)
    assert text.endswith(f"  42 hosts: {FAR}\n      US 28, FR 14")
    assert "  20 hosts: not up to date in this directory\n      old0.example, " in text
    assert "and 14 more" in text


def test_one_host_keeps_its_url() -> None:
    """A list of one host shows its whole URL."""
    one = Listed(1, "a.example", Tier.GLOBAL, [f"https://a.example{PATH}"], "")
    found = Explanation(SnapshotUsed("ab", 5), _found().client, "pub", None, [one], [])
    assert f"https://a.example{PATH}" in as_text(found)


def test_no_host() -> None:
    """A list without hosts says so."""
    found = Explanation(SnapshotUsed("ab", 5), _found().client, "pub", None, [], [])
    assert as_text(found).endswith("no host is left")
