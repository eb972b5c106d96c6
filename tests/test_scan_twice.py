"""Two scans in a row: the tables are those of the last one, whatever the first one left."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snapshot.scan.job import Changes
from tests.factories import SHA256
from tests.scanned import NOW, Primary, contents, database

pytestmark = pytest.mark.system

PATHS = st.sampled_from(
    [f"{above}{number}/Everything/{arch}"
     for above in ("", "testing/") for number in (8, 9) for arch in ("x86_64", "aarch64")]
)  # fmt: skip
TREES = st.fixed_dictionaries(
    {
        "repositories": st.dictionaries(PATHS, st.integers(0, 3), max_size=4),
        "files": st.dictionaries(
            st.sampled_from(["a", "8/b", "9/Everything/c", "images/d.iso", "images/e/f"]),
            st.integers(0, 3),
            max_size=4,
        ),
        "sums": st.booleans(),
    }
)


def plant(folder: Path, tree: Mapping[str, Any]) -> Primary:
    """Make a primary of a tree."""
    primary = Primary(folder)
    primary.put("top")
    for path, age in tree["repositories"].items():
        primary.repository(path, NOW + age)
    for path, age in tree["files"].items():
        primary.put(path, b"x" * age, NOW + age)
    if tree["sums"]:
        primary.put("images/x-CHECKSUM", f"SHA256 (d.iso) = {SHA256}\n".encode())
    return primary


def newest(found: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """Return tables without what they keep of former scans on purpose: versions, alternates."""
    versions = [
        row for row in found["version"] if row[0] in {one[3] for one in found["repository"]}
    ]
    return {**found, "version": versions, "file_detail": []}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TREES, TREES)
def test_only_the_last_scan_counts(
    tmp_path_factory: pytest.TempPathFactory, old: Mapping[str, Any], new: Mapping[str, Any]
) -> None:
    """After two trees the tables are as after the second alone, and a further scan changes nothing.

    Versions stay, and so do alternates until they are too old.
    """
    folder = tmp_path_factory.mktemp("trees")
    first, second = plant(folder / "old", old), plant(folder / "new", new)
    (folder / "alone").mkdir()
    both, alone = database(folder), database(folder / "alone")
    first.scan(both)
    second.scan(both, source=str(second.root))
    second.scan(alone)
    after, wanted = contents(both), contents(alone)
    assert newest(after) == newest(wanted)
    assert set(wanted["file_detail"]) <= set(after["file_detail"])
    assert second.scan(both, full=True).changes == Changes()
    assert contents(both) == after
