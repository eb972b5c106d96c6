"""Load tests, as far as nothing is measured: options, requests, and what a wrong sum would hide."""

import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from msgspec import json, structs

from loadtest.bench.__main__ import main as bench
from loadtest.bench.cases import chosen
from loadtest.bench.figures import BenchRun, CaseFigures, Memory, Round, Start
from loadtest.bench.goals import verdicts
from loadtest.bench.profiling import Samples
from loadtest.bench.report import sheets, text
from loadtest.changes import freshness, swaps
from loadtest.common.judging import answer_fault, load_fault, refusals
from loadtest.common.mix import KINDS, Data, Logged, known_only, make_mix, turned
from loadtest.common.records import Machine, this_machine
from loadtest.common.servers import ROOT
from loadtest.common.tables import markdown, percentile
from loadtest.common.wrk import Load
from loadtest.crowd.__main__ import Entry, users_sheet
from loadtest.crowd.users import newest

MACHINE = Machine("2026-11-21 10:00 UTC", "abcdef0", "python -m x", "a CPU", 2, "Debian", "3.11.2")
PROGRAMS = {
    "dataset": "--database", "bench": "--theirs-pid", "bench.profiling": "--close",
    "changes.freshness": "--idle", "changes.swaps": "--pause", "crowd": "--users",
    "exact": "--outage", "exports": "--runs", "rsync": "--methods",
    "rsync.filter_cost": "--twice",
    "probes": "--mirrors", "scans": "--factor", "soak": "--seed", "stats": "--days",
    "packages": "--naive",
    "stats.addresses": "--rounds",
}  # fmt: skip
LOG = [
    Logged(f"192.0.2.{number}", repo, arch)
    for number in range(60)
    for repo, arch in (("fedora-44", "x86_64"), ("epel-10", "aarch64"), ("nowhere", "x86_64"))
]
DATA = Data(
    LOG,
    ["CA", "DE", "FR", "US"],
    ["pub/a", "pub/b"],
    {("fedora-44", "x86_64"): "pub/a", ("epel-10", "aarch64"): "pub/b"},
)
METALINK = (
    b'<metalink xmlns="http://www.metalinker.org/"><files><file name="repomd.xml"><resources>'
    b"%b</resources></file></files></metalink>"
)
URL = b'<url protocol="https">https://a.example/repodata/repomd.xml</url>'


def loaded(requests: int = 1000, refused: int = 0, failed: int = 0) -> Load:
    """Return what wrk saw in two seconds."""
    return Load(requests, 20_000, 2.0, 1.0, 9.0, refused, failed, 21.5)


def figures(case: str, *cpus: float) -> CaseFigures:
    """Return a case's rounds with these microseconds."""
    return CaseFigures(case, [Round(loaded(), cpu, 40_000_000, 50_000_000) for cpu in cpus])


def run_of(
    *found: CaseFigures, memory: Memory | None = None, starts: Sequence[Start] = ()
) -> BenchRun:
    """Return a run with these figures."""
    return BenchRun(MACHINE, {"wrk": "4.1.0"}, {"rounds": "3"}, list(found), list(starts), memory)


MEMORY = Memory(
    1_000_000,
    {"supervisor": 15_000_000, "worker 1": 20_000_000, "admin process": 12_000_000},
    {"supervisor": 20_000_000, "worker 1": 87_000_000, "admin process": 13_000_000},
    {"supervisor": 21_000_000, "worker 1": 87_000_000, "admin process": 23_000_000},
)


@pytest.mark.parametrize(("name", "option"), PROGRAMS.items())
def test_every_program_explains_itself(name: str, option: str) -> None:
    """Each program's --help names an option of its own."""
    module = import_module(f"loadtest.{name}.__main__" if "." not in name else f"loadtest.{name}")
    done = CliRunner().invoke(module.main, ["--help"])
    assert done.exit_code == 0
    assert f"  {option} " in done.output


def test_without_the_packages_of_development() -> None:
    """After `make install` alone, a load test says in one line what is missing."""
    without = (
        "import sys, runpy; sys.modules['mmdb_writer'] = None;"
        "runpy.run_module('loadtest.dataset', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", without, "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == ("Error: load tests need the packages of development: run `make dev`\n")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(["--theirs", "http://127.0.0.1:1"], "go together", id="no pid"),
        pytest.param(["--only", "nothing"], "no case is called nothing", id="no case"),
        pytest.param(["--scale", "3"], "3", id="scale"),
    ],
)
def test_wrong_options(options: list[str], says: str, tmp_path: Path) -> None:
    """A wrong option is refused with code 2 before anything is made."""
    done = CliRunner().invoke(bench, [*options, "--directory", str(tmp_path / "data")])
    assert done.exit_code == 2
    assert says in done.output
    assert not (tmp_path / "data").exists()


def test_a_choice_of_cases() -> None:
    """Cases are chosen by name or pattern, in their order; one that fits none is refused."""
    names = ["ours", "ours-close", "floor"]
    assert chosen(names, []) == names
    assert chosen(names, ["floor", "ours*"]) == names
    with pytest.raises(click.UsageError, match="no case is called our; there are ours, "):
        chosen(names, ["our"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_its_requests(kind: str) -> None:
    """The same seed gives the same lines, another one others, and each asks as wrk can send it."""
    mix = make_mix(DATA, kind, 1, 100)
    assert mix == make_mix(DATA, kind, 1, 100)
    assert mix != make_mix(DATA, kind, 2, 100)
    assert len(mix) == 100
    for line in mix:
        target, address = line.split(" ")
        assert target.startswith(("/metalink?", "/mirrorlist?"))
        assert address.startswith("192.0.2.")


def test_a_release_day_is_about_the_newest_release() -> None:
    """Upgrades ask for the newest release that has updates; a normal day is of all known ones."""
    names = ("fedora-9", "updates-released-f9", "fedora-10", "updates-released-f10", "epel-11")
    log = [Logged("192.0.2.1", name, "x86_64") for name in ("epel-11", "nowhere", "fedora-9")]
    data = Data(log, [], [], {(name, "x86_64"): "pub" for name in names})
    assert {one.repo for one in newest(data)} == {"fedora-10", "updates-released-f10"}
    assert [one.repo for one in known_only(data).log] == ["epel-11", "fedora-9"]


def test_a_load_goes_on_in_the_mix() -> None:
    """Each line is sent as often as any other: a load begins where the last one ended."""
    mix = ["a", "b", "c"]
    assert [turned(mix, sent)[0] for sent in range(7)] == ["a", "b", "c", "a", "b", "c", "a"]
    assert turned(mix, 2) == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("target", "status", "body", "says"),
    [
        pytest.param("/metalink?a", 200, METALINK % URL, None, id="metalink"),
        pytest.param("/metalink?a", 200, METALINK % b"", "no URL in the metalink", id="no URL"),
        pytest.param("/metalink?a", 200, METALINK[:90], "no XML: ", id="cut short"),
        pytest.param("/metalink?a", 200, b"<metalink/>", "no repomd.xml", id="no file"),
        pytest.param(
            "/metalink?a", 200, b"<metalink><!-- repo disabled --></metalink>", None, id="disabled"
        ),
        pytest.param("/metalink?a", 404, METALINK % URL, "status 404", id="404"),
        pytest.param("/mirrorlist?a", 200, b"# a\nhttps://a/\n", None, id="text"),
        pytest.param("/mirrorlist?a", 200, b"# https://a/\n", "no URL in the list", id="comment"),
        pytest.param("/mirrorlist?path=a&redirect=1", 302, b"", None, id="redirect"),
        pytest.param("/mirrorlist?path=a&redirect=1", 200, b"https://a/", "status 200", id="list"),
    ],
)
def test_only_answers_that_a_client_can_use_count(
    target: str, status: int, body: bytes, says: str | None
) -> None:
    """An answer is good if dnf could use it; otherwise the fault is named."""
    found = answer_fault(target, status, body)
    assert found is None if says is None else found is not None and found.startswith(says)


@pytest.mark.parametrize(
    ("load", "share", "says"),
    [
        pytest.param(loaded(), 0.0, None, id="good"),
        pytest.param(loaded(0), 0.0, "no request was answered", id="nothing"),
        pytest.param(loaded(failed=1), 1.0, "1 of 1000 requests failed", id="failed"),
        pytest.param(loaded(refused=1), 0.0, "1 of 1000 requests were refused", id="floor"),
        pytest.param(loaded(refused=30), refusals("day"), None, id="those of the log"),
        pytest.param(loaded(refused=90), refusals("day"), "90 of 1000 requests were", id="many"),
        pytest.param(loaded(refused=1000), refusals("unknown"), None, id="unknown"),
        pytest.param(
            loaded(refused=999), refusals("unknown"), "1 of 1000 requests were not", id="known"
        ),
    ],
)
def test_a_wrong_answer_ends_the_run(load: Load, share: float, says: str | None) -> None:
    """Failures and refusals that are not due are told in a line."""
    found = load_fault(load, share)
    assert found is None if says is None else found is not None and found.startswith(says)


@pytest.mark.parametrize(
    ("percent", "value"), [(1, 1.0), (50, 5.0), (90, 9.0), (91, 10.0), (100, 10.0)]
)
def test_percentile(percent: int, value: float) -> None:
    """A percentile is one of the values: the least that this many percent do not exceed."""
    assert percentile([float(number) for number in range(10, 0, -1)], percent) == value


def test_medians() -> None:
    """A case's figures are the medians of its rounds, with the least and most CPU."""
    found = figures("ours", 30.0, 90.0, 40.0)
    assert (found.cpu, found.spread) == (40.0, (30.0, 90.0))
    assert found.median(lambda load: load.a_second) == 500.0


@pytest.mark.parametrize(
    ("run", "aims"),
    [
        pytest.param(run_of(), [], id="nothing measured"),
        pytest.param(
            run_of(
                *(figures("ours-close", 75.0), figures("floor-close", 100.0)),
                figures("theirs-close", 500.0),
            ),
            [
                ("a connection each", 0.75, "missed by 0.05 floors"),
                ("a connection each, of mirrorlist-server's", 15.0, "missed by 2.5 %"),
            ],
            id="missed",
        ),
        pytest.param(
            run_of(figures("ours", 30.0), figures("floor", 15.0), figures("log", 36.0)),
            [
                ("kept connections", 2.0, "met"),
                ("request log on, keep-alive", 1.2, "missed by 0.15 times"),
            ],
            id="floor and log",
        ),
        pytest.param(
            run_of(
                *(figures("ours", 30.0), figures("floor", 10.0)),
                *(figures("ours-2.5", 45.0), figures("floor-2.5", 15.0)),
            ),
            [
                ("kept connections", 3.0, "missed by 0.8 floors"),
                ("above the floor, scale 2.5 against 1, a KB of list", 1.5, "missed by 0.3 times"),
            ],
            id="scales",
        ),
        pytest.param(
            run_of(figures("ours", 30.0), figures("countries", 66.0), figures("theirs", 360.0)),
            [
                ("kept connections, of mirrorlist-server's", 8.333333, "missed by 0.0333 %"),
                ("countries", 2.2, "missed by 0.2 lists"),
            ],
            id="in lists",
        ),
        pytest.param(
            run_of(memory=MEMORY),
            [
                ("PSS, two workers and the admin process", 120.0, "met"),
                ("the same after a look at its pages", 131.0, "missed by 11 MB"),
            ],
            id="memory",
        ),
    ],
)
def test_goals(run: BenchRun, aims: list[tuple[str, float, str]]) -> None:
    """Each goal whose figures were measured is met or says by how much it is missed."""
    assert [(one.name, round(one.measured, 6), one.text) for one in verdicts(run)] == aims


def test_tables_of_a_bench() -> None:
    """The tables show each case, the other server beside ours, start, memory and goals."""
    found = run_of(
        *(figures("ours", 30.0, 40.0), figures("redirect", 25.0)),
        *(figures("theirs", 320.0), figures("theirs-redirect", 300.0), figures("floor", 15.0)),
        memory=MEMORY,
        starts=[Start(200.0, 50.0, 1.0)],
    )
    shown = "\n".join(map(markdown, sheets(found)))
    cells = "30.0-40.0 | 2.33 | 9.14 | 500 | 1.00 | 9.00 | 20,000 | 40.0-50.0 |"
    assert f"\n| ours | 35.0 | {cells}\n" in shown
    assert "\n| redirect | 25.0 | 300.0 | 12.0 |\n" in shown
    assert "\n| from exec to the first answer | 250.0 | 250.0-250.0 |\n" in shown
    cells = "12.0 | 13.0 | 23.0 |\n| all | 47.0 | 120.0 | 131.0 |\n"
    assert f"\n| admin process | {cells}" in shown
    assert "\n| PSS, two workers and the admin process | 120 MB | 120 MB | met |\n" in shown


def test_the_record_says_where_it_was_made() -> None:
    """A record names command, commit, machine and versions, and is read back as it was written."""
    found = run_of(figures("ours", 30.0))
    for words in ("`python -m x`, commit abcdef0.", "2 cores (a CPU), Debian", "wrk 4.1.0"):
        assert words in text(found)
    changed = structs.replace(found, machine=structs.replace(MACHINE, commit="abcdef0+"))
    assert "commit abcdef0 and changes on top." in text(changed)
    assert json.decode(json.encode(found), type=BenchRun) == found


def test_no_record_has_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command of a run is kept without the password in its database's URL."""
    url = "postgresql://mm:s3cr:et/@127.0.0.1:5432/mm"
    program = ROOT / "loadtest" / "bench" / "__main__.py"
    monkeypatch.setattr(sys, "argv", [str(program), "--database", url, "--record"])
    expected = "python -m loadtest.bench --database postgresql://mm:***@127.0.0.1:5432/mm --record"
    assert this_machine().command == expected


def _spell(name: str, cpu: float, swapped: list[float]) -> swaps.Spell:
    return swaps.Spell(name, loaded(), cpu, swapped, [1.0, 2.0, 24.5], 120_000_000)


def test_tables_of_swaps() -> None:
    """CPU is compared with the cheaper of two steady loads, and the slowest answer is anybody's."""
    spells = [
        _spell("at rest", 60.0, []),
        _spell("each second", 65.0, [0.2]),
        _spell("at rest again", 50.0, []),
        _spell("in a row", 70.0, [0.1, 0.3]),
        _spell("afterwards", 55.0, []),
    ]
    loads, swapped, goals = swaps.sheets(swaps.SwapsRun(MACHINE, {}, 100_000_000, spells))
    assert loads.rows[3][:3] == ["in a row", "1,000", "0"]
    assert swapped.rows[3][1:4] == ["2", "0.100", "0.300"]
    assert [row[2] for row in goals.rows] == ["0 ", "24.5 ms", "24.5 ms", "1.3 times"]
    assert [row[3] for row in goals.rows] == ["met", "missed by 14.5 ms", "met", "met"]


def test_tables_of_freshness() -> None:
    """The time to the file and the time to every worker are told apart."""
    changes = [
        freshness.Change(1, 5000, float(second), second + 0.25) for second in range(100, 0, -1)
    ]
    idle = freshness.Idle(60.0, 1.5, 0.9, 61.2, 80_000_000)
    fresh, costs = freshness.sheets(freshness.FreshnessRun(MACHINE, idle, changes, []))
    assert fresh.rows[0] == ["the file", "100", "50.50", "99.00", "1.00", "100.00"]
    assert fresh.rows[1] == ["every worker", "100", "50.75", "99.25", "1.25", "100.25"]
    assert [row[1] for row in costs.rows] == ["1.5", "0.9", "61", "80"]


def test_table_of_users() -> None:
    """The table says within how many milliseconds half, 95 and 99 of a hundred came."""
    entry = Entry("NormalDay", 1000, 1, {1: 500, 2: 449, 9: 41, 70: 10}, 100.0, 110.0)
    assert [entry.percentile(percent) for percent in (50, 94.9, 95, 99, 99.1)] == [1, 2, 9, 9, 70]
    assert users_sheet([entry]).rows == [["NormalDay", "1,000", "1", "1", "9", "9", "100"]]


def test_a_function_counts_alone_and_with_what_it_calls() -> None:
    """Each sample counts once for the function that runs and once for each that called it."""
    samples = Samples()

    def inner() -> None:
        samples.take(0, sys._getframe())

    def outer(times: int) -> None:
        inner()
        if times > 1:
            outer(times - 1)

    outer(3)
    name = "test_a_function_counts_alone_and_with_what_it_calls.<locals>"
    assert samples.alone == {f"{name}.inner": 3}
    assert samples.within[f"{name}.outer"] == 3
    assert f" 100.0%    0.0%  {name}.outer" in samples.table(1000).splitlines()
