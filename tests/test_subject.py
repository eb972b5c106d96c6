"""Subjects: found once for each repository, and the same as if they were found each time."""

from pathlib import Path

import pytest

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.errors import UnknownRepository
from mirrorlist.lists.plans import Plans
from mirrorlist.lists.subject import Subjects, find_subject
from mirrorlist.request.query import parse_query
from tests.factories import export_tables, world


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """A catalog with repositories and hashes."""
    return Catalog(export_tables(tmp_path, world())[0])


def test_subjects_are_what_would_be_found(catalog: Catalog) -> None:
    """Each repository's subject is its own, for a metalink and for a text list, every time."""
    subjects = Subjects()
    for _ in range(3):
        for prefix, arch in catalog.repositories:
            for is_metalink in (True, False):
                raw = f"repo={prefix}&arch={arch}&country=DE".encode()
                query = parse_query(raw, is_metalink)
                try:
                    due = find_subject(query, catalog)
                except Exception as error:
                    with pytest.raises(type(error)):
                        subjects.find(query, catalog)
                else:
                    assert subjects.find(query, catalog) == due
    assert subjects.bytes > 0


def test_a_repository_is_found_once(catalog: Catalog) -> None:
    """Queries that differ in country= alone share one subject."""
    subjects = Subjects()
    prefix, arch = next(iter(catalog.repositories))
    asked = f"repo={prefix}&arch={arch}"
    queries = [parse_query(f"{asked}&country={one}".encode(), False) for one in ("DE", "FR")]
    found = [subjects.find(query, catalog) for query in queries]
    assert found[0] is found[1]


def test_mistakes_are_not_kept(catalog: Catalog) -> None:
    """A repository that is not known takes no memory."""
    subjects = Subjects()
    with pytest.raises(UnknownRepository):
        subjects.find(parse_query(b"repo=x&arch=y", False), catalog)
    assert subjects.bytes == 0


def test_another_catalog_has_its_own_subjects(catalog: Catalog, tmp_path: Path) -> None:
    """When a catalog comes into use, no subject of the last one is given again."""
    plans = Plans(1)
    prefix, arch = next(iter(catalog.repositories))
    raw = f"repo={prefix}&arch={arch}".encode()
    plans.find(catalog, False, raw)
    before = plans.subjects
    assert before.bytes > 0
    (tmp_path / "again").mkdir()
    plans.find(Catalog(export_tables(tmp_path / "again", world())[0]), False, raw)
    assert plans.subjects is not before
    plans.forget()
    assert plans.retired == 0
