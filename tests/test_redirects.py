"""Names with blanks around them, and redirects that help nobody."""

from pathlib import Path

import pytest

from snapshot.file.model import LeftOut
from tests.factories import Row, edited, export_tables

Edit = tuple[str, int | None, Row]


def _redirects(*pairs: tuple[str | None, str | None]) -> list[Edit]:
    return [
        ("repository_redirect", None, {"id": 70 + place, "from_repo": one, "to_repo": other})
        for place, (one, other) in enumerate(pairs)
    ]


@pytest.mark.parametrize("blank", [" ", "\t", "  ", "\n", "\r\n", "\u00a0", "\ufeff", "\u200b"])
def test_blanks_around_names(tmp_path: Path, blank: str) -> None:
    """Blanks around prefix, arch, redirect, category, host and site are nobody's intention."""
    expected, _ = export_tables(tmp_path, edited(*_redirects(("x", "linux-40"))))
    edits: list[Edit] = [
        ("repository", 1, {"prefix": f"linux-40{blank}"}),
        ("arch", 1, {"name": f"{blank}x86_64{blank}"}),
        *_redirects((f"{blank}x", f"linux-40{blank}")),
    ]
    found, result = export_tables(tmp_path, edited(*edits))
    assert found.id == expected.id
    assert result.left_out == ()


def test_blanks_around_names_for_people(tmp_path: Path) -> None:
    """Names of hosts, sites and categories have no blanks around them either."""
    edits: list[Edit] = [
        ("host", 1, {"name": " a "}),
        ("site", 1, {"name": "b "}),
        ("category", 1, {"name": " c"}),
    ]
    snapshot, _ = export_tables(tmp_path, edited(*edits))
    assert (snapshot.hosts[0].name, snapshot.hosts[0].site) == ("a", "b")
    assert snapshot.categories[0].name == "c"


def test_names_that_become_equal(tmp_path: Path) -> None:
    """The name without blanks wins, whatever the order of ids, and the other row is named."""
    edits: list[Edit] = [
        ("repository", 1, {"prefix": "epel-9 "}),
        ("repository", 2, {"prefix": "epel-9"}),
        *_redirects((" x", "linux-40"), ("x", "epel-9"), ("y", "epel-9"), (" y", " epel-9")),
        ("repository_redirect", None, {"id": 69, "from_repo": "x ", "to_repo": "epel-9"}),
    ]
    snapshot, result = export_tables(tmp_path, edited(*edits))
    (epel,) = [row for row in snapshot.repositories if row.prefix == "epel-9"]
    assert snapshot.directory(epel.directory).name == "pub/epel/9/x86_64"
    assert snapshot.redirects["x"] == "epel-9"
    assert result.left_out == (
        LeftOut(
            "repository",
            1,
            "the same prefix and arch as an earlier one once the blanks around it are gone",
        ),
        LeftOut(
            "repository_redirect",
            70,
            "the same from_repo as an earlier one, and another to_repo",
        ),
    )


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        *((" ", "linux-40", "no from_repo"), ("", "linux-40", "no from_repo")),
        *(("x", " ", "leads nowhere"), ("x", "", "leads nowhere"), ("x", None, "leads nowhere")),
    ],
)
def test_names_of_blanks_alone(tmp_path: Path, one: str, other: str | None, reason: str) -> None:
    """A name of blanks is no name: the redirect is left out, and so is such a repository."""
    blank: Edit = ("repository", 3, {"prefix": " "})
    _, result = export_tables(tmp_path, edited(blank, *_redirects((one, other))))
    assert [(row.table, row.id) for row in result.left_out] == [
        ("repository", 3),
        ("repository_redirect", 70),
    ]
    assert reason in result.left_out[1].reason


def test_redirects_that_help_nobody(tmp_path: Path) -> None:
    """Each way in which redirects are odd is one line that names them; they are kept."""
    pairs = [
        *(("b", "nowhere"), ("c", "neither"), ("a", "a"), ("d", "e"), ("e", "d")),
        *(("f", "linux-latest"), ("g", "old-39"), ("epel-9", "linux-40"), ("h", "linux-40")),
    ]
    snapshot, result = export_tables(tmp_path, edited(*_redirects(*pairs)))
    assert [note for note in result.notes if "redirect" in note] == [
        "1 redirect hides a repository of the same name: epel-9 -> linux-40",
        "1 redirect leads to a repository that is disabled: g -> old-39",
        "1 redirect leads to another redirect, which is not followed: f -> linux-latest",
        "1 redirect leads to itself: a -> a",
        "2 redirects, each of which leads in a circle: d -> e, e -> d",
        "2 redirects, each of which leads to no repository: b -> nowhere, c -> neither",
    ]
    assert snapshot.report.notes == result.notes
    assert result.left_out == ()
    assert dict(pairs).items() < snapshot.redirects.items()


def test_many_redirects_into_the_void(tmp_path: Path) -> None:
    """Of many, five are shown and the others counted."""
    pairs = [(f"r{number}", "nowhere") for number in range(7)]
    _, result = export_tables(tmp_path, edited(*_redirects(*pairs)))
    assert any("r4 -> nowhere and 2 more" in note for note in result.notes)
