"""docs/json.md shows each JSON answer as the structs say that it is made from."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.cli.printed import (
    AddressesRow,
    Checked,
    Exported,
    PackagesImported,
    Scanned,
    StepRow,
    Summary,
    SumRow,
)
from mirrorlist.lists.explanation import Explanation
from mirrorlist.lists.repositories import Form, RepositoryListing, render
from mirrorlist.replay.tally import Replayed
from mirrorlist.settings.table import SETTINGS
from mirrorlist.status.chain import Chain
from mirrorlist.status.collect_state import CollectState
from mirrorlist.status.scan_state import ScanState
from mirrorlist.status.server_state import Status
from mirrorlist.status.stage import Stage
from mirrorlist.status.watch_state import WatchState
from mirrorlist.web.health import Fresh, Ready
from snapshot.file.description import Description
from snapshot.file.difference import Difference
from snapshot.packages.find import FoundPackages
from snapshot.repo.expiring import ExpireResult
from snapshot.repo.listing import Listed
from snapshot.repo.moving import MoveResult
from snapshot.sites.difference import SiteDifference
from snapshot.sites.host_states import HostState
from snapshot.sites.imports.writing import Imported
from snapshot.sites.keeper_state import KeeperState
from snapshot.sites.probe import ProbedAll
from snapshot.slim.job import Slimmed
from tests.command import run_inside as run
from tests.factories import export_tables, make_database, world
from tests.json_fields import BY_NAME, Row, fields
from tests.pages import hold, table


@dataclass(frozen=True)
class Answer:
    """A JSON answer: what prints it, the struct, and what else is to be said."""

    title: str
    shape: type
    more: str = ""


ANSWERS = (
    Answer("`/explain` and `mirrorlist ask --json`", Explanation),
    Answer(
        "`/repositories`", RepositoryListing, "With `Accept: application/json` or `format=json`."
    ),
    Answer("`/health/ready` of a server", Ready, "503 where `ready` is false."),
    Answer("`/health/fresh` of a server", Fresh, "503 where `fresh` is false."),
    Answer(
        "`/status.json` of a watch",
        WatchState,
        "`/health/ready` of a watch has `ready` before the same fields: whether an export has ended"
        " well since the start, 503 where not. `/health/fresh` of a watch has `fresh`, `seconds`"
        " since the last export that ended well, and where it is 503 the `reason`.",
    ),
    Answer("`/status.json` of a server", Status),
    Answer(
        "`/status.json` of `scan --watch`",
        ScanState,
        "`/health/ready` has `ready`: whether each category was scanned since the start, 503 where"
        " not. `/health/fresh` has `fresh`, `seconds` (`late_seconds`), and where it is 503 the"
        " `reason`.",
    ),
    Answer(
        "`/status.json` of `stats collect --watch`",
        CollectState,
        "`/health/ready` has `ready`: whether a collection has ended well since the start, 503"
        " where not. `/health/fresh` has `fresh`, `seconds` (of the oldest file), and where it is"
        " 503 the `reason`.",
    ),
    Answer("`/chain.json` of a server", Chain, "`/chain` is the same for programs."),
    Answer("`/stages` of any `--admin` address", Stage, "It gives a list of them."),
    Answer("`mirrorlist export --json`, `mirrorlist import-cache --json`", Exported),
    Answer("`mirrorlist scan --json`", Scanned),
    Answer("`mirrorlist repo list --json`", Listed, "It prints a list of them."),
    Answer("`mirrorlist repo move --json`", MoveResult),
    Answer("`mirrorlist repo expire --json`", ExpireResult),
    Answer("`mirrorlist packages import --json`", PackagesImported),
    Answer("`mirrorlist packages find --json`, `/packages?name=` of a watch", FoundPackages),
    Answer("`mirrorlist packages slim --json`", Slimmed),
    Answer("`mirrorlist inspect --json`", Summary),
    Answer("`mirrorlist inspect --json` with `--repo` and `--arch`, or `--path`", Description),
    Answer("`mirrorlist diff --json`", Difference),
    Answer("`mirrorlist replay --json`", Replayed),
    Answer("`mirrorlist stats table --json`, `mirrorlist stats top --json`", SumRow),
    Answer("`mirrorlist stats trend --json`", StepRow),
    Answer("`mirrorlist stats addresses --json`", AddressesRow),
    Answer("`/site` of the keeper of a `mirrorlist run`", KeeperState),
    Answer("`mirrorlist sites check --json`", Checked),
    Answer("`mirrorlist sites apply --json`", SiteDifference),
    Answer("`mirrorlist sites probe --json`", ProbedAll),
    Answer(
        "`mirrorlist sites import almalinux --json`, `mirrorlist sites import list --json`",
        Imported,
    ),
    Answer(
        "`mirrorlist sites host show --json`, `mirrorlist sites host drain --json`,"
        " `mirrorlist sites host undrain --json`, `mirrorlist sites host list --json`",
        HostState,
        "`list` prints a list of these, by name.",
    ),
)


def _page() -> Iterator[str]:
    shown: dict[type, str] = {}
    for answer in ANSWERS:
        yield from ("", f"## {answer.title}", "", _sentence(answer), "")
        yield from table(("field", "type", "meaning"), *fields(answer.shape, shown))
        shown[answer.shape] = f"in {answer.title}"
    yield ""


def _sentence(answer: Answer) -> str:
    first = (answer.shape.__doc__ or "").partition("\n\n")[0]
    return " ".join([*first.split(), *answer.more.split()])


def test_the_page_is_the_code() -> None:
    """The page has a table for each answer, with each field's type and meaning."""
    hold("docs/json.md", "answers", _page())


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.title)
def test_every_field_has_a_meaning(answer: Answer) -> None:
    """No cell of a table is empty."""
    assert [row for row in fields(answer.shape, {}) if not all(row)] == []


def test_every_command_with_json_is_there() -> None:
    """Each command that has --json stands in a title."""
    (setting,) = (setting for setting in SETTINGS if setting.name == "json")
    titles = "".join(answer.title for answer in ANSWERS)
    assert [name for name in setting.commands if f"mirrorlist {name} --json" not in titles] == []


def _paths(value: object, path: str = "") -> Iterator[str]:
    """Yield the path of each field of an answer, as the page spells it."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield f"`{path}{name}`"
            yield from _paths(part, f"{path}{name}.")
    elif isinstance(value, list):
        for part in value:
            yield from _paths(part, f"{path.removesuffix('.')}[].")


@pytest.fixture(scope="module")
def snap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot of a small world, in a folder with its database."""
    folder = tmp_path_factory.mktemp("json")
    make_database(folder / "mm.sqlite", world())
    database, path = f"sqlite:///{folder / 'mm.sqlite'}", folder / "mm.snap"
    assert run("export", "--database", database, "--output", path).returncode == 0
    return path


@pytest.mark.parametrize(
    ("shape", "command"),
    [
        pytest.param(Exported, "export --database sqlite:///DIR/mm.sqlite --output DIR/b.snap"),
        pytest.param(Summary, "inspect DIR/mm.snap"),
        pytest.param(Description, "inspect DIR/mm.snap --repo linux-40 --arch x86_64"),
        pytest.param(Difference, "diff DIR/mm.snap DIR/mm.snap"),
        pytest.param(Explanation, "ask --snapshot DIR/mm.snap repo=linux-40&arch=x86_64"),
    ],
)
def test_what_is_printed_is_on_the_page(snap: Path, shape: type, command: str) -> None:
    """Each field that a command prints is in its table, but for names that are data."""
    printed = run(*command.replace("DIR", str(snap.parent)).split(), "--json")
    assert printed.returncode == 0, printed.stderr
    known: list[Row] = list(fields(shape))
    maps = tuple(name.strip("`") + "." for name, kind, _ in known if BY_NAME in kind)
    found = {path for path in _paths(json.loads(printed.stdout)) if not path[1:].startswith(maps)}
    assert found
    assert found <= {name for name, _, _ in known}


def test_repositories_are_on_the_page(tmp_path: Path) -> None:
    """Each field of /repositories is in its table."""
    snapshot, _ = export_tables(tmp_path, world())
    listed = json.loads(render(Catalog(snapshot), Form.JSON, lambda: None))
    assert {*_paths(listed)} == {name for name, _, _ in fields(RepositoryListing)}
