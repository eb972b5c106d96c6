"""An export as a whole: what it counts, what makes its id, and what it leaves behind."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.file.errors import BackendError, DatabaseError, DataFileError, OutputError
from snapshot.file.format import MAGIC
from snapshot.file.reader import Snapshot
from tests.factories import Row, Tables, edited, export_tables, make_database, world
from tests.snapshots import sections_of

SEED = 20261121
ASN_LINES = "192.0.2.0/24 64500\n192.0.2.128/25 64499\n2001:db8::/32 64500\n"


def _content(snapshot: Snapshot) -> dict[str, bytes]:
    sections = sections_of(Path(snapshot.path).read_bytes())
    return {section.name: bytes(section.data) for section in sections if section.content}


def _shuffled(tables: Tables) -> Tables:
    """The same rows in another order, wherever a row has its id."""
    dice = random.Random(SEED)
    return {name: dice.sample(rows, len(rows)) for name, rows in tables.items()}


def _busy() -> Tables:
    """The small world with rows where an order could get in."""
    return edited(
        *(("host_peer_asn", None, {"id": id, "host_id": 6, "asn": 70 - id}) for id in (1, 2)),
        *(
            ("host_country_allowed", None, {"id": id, "host_id": 1, "country": country})
            for id, country in enumerate(("US", "CA", "MX"), 1)
        ),
        *(
            ("host_netblock", None, {"id": 10 + id, "host_id": id, "netblock": "192.0.2.0/24"})
            for id in (1, 2, 3)
        ),
        ("host_netblock", None, {"id": 20, "host_id": 4, "netblock": "10.0.0.0/33"}),
        ("host_netblock", None, {"id": 21, "host_id": 4, "netblock": "192.0.2.0/26"}),
        ("netblock_country", None, {"id": 1, "netblock": "10.0.0.0/8", "country": "DE"}),
        ("netblock_country", None, {"id": 2, "netblock": "10.0.0.1/8", "country": "FR"}),
        ("country_continent_redirect", None, {"id": 1, "country": "XA", "continent": "SA"}),
        ("country_continent_redirect", None, {"id": 2, "country": "AX", "continent": "SA"}),
        ("repository_redirect", None, {"id": 2, "from_repo": "a", "to_repo": "b"}),
        ("category_directory", None, {"category_id": 2, "directory_id": 1}),
    )


def test_counts(tmp_path: Path) -> None:
    """The export counts what the snapshot holds, and says how large it is."""
    snapshot, result = export_tables(tmp_path, world())
    assert result.counts == snapshot.counts()
    assert result.counts == {
        "hosts": 9,
        "directories": 7,
        "repositories": 3,
        "host_sets": 2,
        "urls": 28,
        "file_details": 2,
    }
    assert result.bytes == Path(snapshot.path).stat().st_size
    assert 0 < result.seconds < 60
    assert 0 <= snapshot.built - snapshot.read < 60


def test_equal_databases(tmp_path: Path) -> None:
    """Equal rows give an equal id and equal bytes of every content section."""
    one, _ = export_tables(tmp_path / "1", _busy())
    other, _ = export_tables(tmp_path / "2", _busy())
    assert one.id == other.id
    assert _content(one) == _content(other)


def test_the_order_of_rows(tmp_path: Path) -> None:
    """In whatever order rows were inserted, the id, the sections and the report are the same."""
    one, result = export_tables(tmp_path / "1", _busy())
    other, other_result = export_tables(tmp_path / "2", _shuffled(_busy()))
    assert _content(one) == _content(other)
    assert one.id == other.id
    assert result.left_out == other_result.left_out != ()


@pytest.mark.parametrize(
    ("table", "id", "columns"),
    [
        ("host", 1, {"bandwidth_int": 7}),
        ("host", 1, {"name": "other"}),
        ("host", 1, {"asn": 7}),
        ("site", 1, {"name": "other"}),
        ("category", 1, {"name": "other"}),
        ("host_category", 11, {"always_up2date": True}),
        ("host_category_url", 110, {"url": "http://other.example"}),
        ("directory", 1, {"ctime": 7}),
        ("directory", 1, {"readable": False}),
        ("directory", 7, {"name": "pub/other"}),
        ("repository", 1, {"disabled": True}),
        ("repository_redirect", 1, {"to_repo": "other"}),
        ("file_detail", 1, {"size": 7}),
        ("host_netblock", 1, {"netblock": "192.0.2.0/25"}),
        ("netblock_country", None, {"id": 1, "netblock": "192.0.2.0/25", "country": "DE"}),
        ("country_continent_redirect", None, {"id": 1, "country": "DE", "continent": "AS"}),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_changes_the_id(tmp_path: Path, table: str, id: int | None, columns: Row) -> None:
    """Every change of a value that the snapshot holds changes its id."""
    before, _ = export_tables(tmp_path / "1", world())
    after, _ = export_tables(tmp_path / "2", edited((table, id, columns)))
    assert before.id != after.id


def test_what_does_not_change_the_id(tmp_path: Path) -> None:
    """What no answer can show, such as a contact, a counter or a row left out, is not in the id."""
    before, _ = export_tables(tmp_path / "1", world())
    after, result = export_tables(
        tmp_path / "2",
        edited(
            ("host", 1, {"comment": "x", "crawl_failures": 3, "last_crawl_duration": 9}),
            ("site", 1, {"password": "x", "org_url": "x"}),
            ("host_netblock", None, {"id": 2, "host_id": 1, "netblock": "junk"}),
        ),
    )
    assert before.id == after.id
    assert len(result.left_out) == 1


def test_passwords_stay_in_the_database(tmp_path: Path) -> None:
    """Nothing secret of a site or a host is in the file."""
    snapshot, _ = export_tables(
        tmp_path,
        edited(
            ("site", 1, {"password": "s3cret"}),
            ("host", 1, {"push_ssh_private_key": "s3cret", "robot_email": "s3cret"}),
        ),
    )
    assert b"s3cret" not in Path(snapshot.path).read_bytes()


def test_with_data_files(tmp_path: Path) -> None:
    """ASNs and continents come from the files that are given; equal files, equal id."""
    (tmp_path / "asn").write_text(ASN_LINES)
    (tmp_path / "continents").write_text("DE,SA\n")
    files = {"asn": tmp_path / "asn", "country_continent": tmp_path / "continents"}
    one, _ = export_tables(tmp_path / "1", world(), **files)
    other, _ = export_tables(tmp_path / "2", world(), **files)
    without, _ = export_tables(tmp_path / "3", world())
    assert one.id == other.id != without.id
    assert one.continents["DE"] == "SA"
    assert list(one.asn_ranges.values4) == [64500, 0]
    assert list(without.asn_ranges.values4) == []


def test_asns_that_are_needed(tmp_path: Path) -> None:
    """Only ASNs of active hosts are looked for in the file."""
    (tmp_path / "asn").write_text("10.0.0.0/8 1\n11.0.0.0/8 2\n12.0.0.0/8 3\n13.0.0.0/8 4\n")
    tables = edited(
        ("host", 1, {"asn": 1}),
        ("host", 2, {"asn": 2, "asn_clients": False}),
        ("host", 7, {"asn": 3}),
        ("host_peer_asn", None, {"id": 1, "host_id": 3, "asn": 4}),
    )
    snapshot, _ = export_tables(tmp_path, tables, asn=tmp_path / "asn")
    assert list(snapshot.asn_ranges.values4) == [1, 0, 4, 0]


def _no_tables(folder: Path) -> dict[str, Any]:
    (folder / "empty.sqlite").touch()
    return {"database": f"sqlite:///{folder / 'empty.sqlite'}"}


FAILURES = [
    pytest.param(lambda folder: {"database": "sqlite:///no/such"}, DatabaseError, id="no database"),
    pytest.param(lambda folder: {"database": "mysql://x/y"}, BackendError, id="other kind"),
    pytest.param(_no_tables, DatabaseError, id="no tables"),
    pytest.param(lambda folder: {"asn": folder / "none"}, DataFileError, id="no ASN file"),
    pytest.param(lambda folder: {"asn": folder}, DataFileError, id="ASN file is a directory"),
    pytest.param(lambda folder: {"asn": folder / "junk"}, DataFileError, id="junk as ASN file"),
    pytest.param(
        lambda folder: {"country_continent": folder / "none"}, DataFileError, id="no continents"
    ),
    pytest.param(
        lambda folder: {"country_continent": folder / "junk"}, DataFileError, id="junk continents"
    ),
]


@pytest.mark.parametrize("old", [MAGIC + b"old", None], ids=["old file", "no old file"])
@pytest.mark.parametrize(("changes", "kind"), FAILURES)
def test_a_failed_export_leaves_no_trace(
    tmp_path: Path,
    changes: Callable[[Path], dict[str, Any]],
    kind: type[BackendError],
    old: bytes | None,
) -> None:
    """An export that fails leaves no file, and an old one as it was, byte by byte."""
    output = tmp_path / "out" / "mm.snap"
    output.parent.mkdir()
    if old is not None:
        output.write_bytes(old)
    (tmp_path / "junk").write_text("junk\n")
    options = {"database": make_database(tmp_path / "mm.sqlite", world()), **changes(tmp_path)}
    with pytest.raises(kind) as caught:
        export(options.pop("database"), Job(output, **options))
    assert "\n" not in str(caught.value)
    assert list(output.parent.iterdir()) == ([] if old is None else [output])
    assert old is None or output.read_bytes() == old


def test_a_good_export_replaces_the_old_file(tmp_path: Path) -> None:
    """The new snapshot stands where the old file was."""
    (tmp_path / "mm.snap").write_bytes(MAGIC + b"old")
    snapshot, _ = export_tables(tmp_path, world())
    assert len(snapshot.hosts) == 9


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    """An output in a missing directory is an error of the output, not of the database."""
    database = make_database(tmp_path / "mm.sqlite", world())
    with pytest.raises(OutputError, match=r"no/mm\.snap: cannot be written: No such file"):
        export(database, Job(tmp_path / "no" / "mm.snap"))


@pytest.mark.parametrize("what", ["database", "asn", "country_continent"])
def test_an_output_that_is_an_input(tmp_path: Path, what: str) -> None:
    """An output that is the database or a data file is refused, and the file stays as it was."""
    database = make_database(tmp_path / "database", world())
    (tmp_path / "asn").write_text(ASN_LINES)
    (tmp_path / "country_continent").write_text("DE,EU\n")
    before = (tmp_path / what).read_bytes()
    with pytest.raises(OutputError, match="it is also read"):
        export(database, Job(tmp_path / what, tmp_path / "asn", tmp_path / "country_continent"))
    assert (tmp_path / what).read_bytes() == before


def test_data_files_are_looked_at_first(tmp_path: Path) -> None:
    """A mistyped file name costs no read of the database."""

    def fail(*step: object) -> None:
        raise AssertionError(step)

    database = make_database(tmp_path / "mm.sqlite", world())
    with pytest.raises(OutputError):
        export(database, Job(tmp_path / "none" / "mm.snap"), progress=fail)
    for name in ("asn", "country_continent"):
        job = Job(tmp_path / "mm.snap", **{name: tmp_path / "none"})  # type: ignore[arg-type]
        with pytest.raises(DataFileError):
            export(database, job, progress=fail)


@pytest.mark.parametrize("blank", [" ", "\u3000", "\u200c", "\ufeff"], ids=ascii)
def test_blanks_that_nobody_sees(tmp_path: Path, blank: str) -> None:
    """Blanks of whatever kind around what names are asked by cost nobody anything."""
    tables = world(
        country_continent_redirect=[{"id": 1, "country": f"{blank}TR", "continent": f"EU{blank}"}]
    )
    for table, column in (
        *(("repository", "prefix"), ("arch", "name"), ("category", "name"), ("host", "country")),
        *(("repository_redirect", "from_repo"), ("repository_redirect", "to_repo")),
        *(("file_detail", "filename"), ("file_detail", "sha256"), ("host_netblock", "netblock")),
        *(("host_category_url", "url"),),
    ):
        for row in tables[table]:
            row[column] = f"{blank}{row[column]}{blank}"
    sound, _ = export_tables(tmp_path / "sound", world(country_continent_redirect=[
        {"id": 1, "country": "TR", "continent": "EU"}
    ]))  # fmt: skip
    assert export_tables(tmp_path / "blanks", tables)[0].id == sound.id


def test_directories_with_blanks_around(tmp_path: Path) -> None:
    """A directory keeps its name, as it may be there; that it has blanks around it is said."""
    tables = edited(("directory", 2, {"name": "pub/linux/40/x86_64/os\u3000"}))
    snapshot, result = export_tables(tmp_path, tables)
    assert snapshot.find_directory("pub/linux/40/x86_64/os\u3000") is not None
    assert any("1 directory has blanks around the name" in note for note in result.notes)
