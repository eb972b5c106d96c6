"""The bench, as far as no time is measured: mixes, medians, goals, tables, what is refused."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner

from loadtest.bench import main
from loadtest.cases import FLOORS, INCUMBENT, OURS, all_cases, chosen
from loadtest.figures import Figures, Memory, Round, Run, Start
from loadtest.goals import verdicts
from loadtest.machine import Machine
from loadtest.measuring import fault, is_meaningful, refusals
from loadtest.mix import ALL_REFUSED, KINDS, Data, Logged, make_mix, read_data
from loadtest.progress import show_phases
from loadtest.report import markdown, record, sheets
from loadtest.servers import Servers, running
from loadtest.stage import prepare
from loadtest.wrk import Load
from snapshot.file.model import Repository
from snapshot.file.writer import encode
from tests.small_worlds import Mirror, small_data

MACHINE = Machine("2026-11-21 10:00 UTC", "abcdef0", "python -m x", "a CPU", 2, "Debian", "3.11.2")
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


def loaded(requests: int = 1000, refused: int = 0, failed: int = 0, p50: float = 1.0) -> Load:
    """Return what wrk saw in two seconds."""
    return Load(requests, 20_000, 2.0, p50, 9.0, refused, failed)


def figures(case: str, *cpus: float) -> Figures:
    """Return a case's rounds with these microseconds."""
    return Figures(case, [Round(loaded(), cpu, 40_000_000, 50_000_000) for cpu in cpus])


def run_of(*found: Figures, memory: Memory | None = None, starts: Sequence[Start] = ()) -> Run:
    """Return a run with these figures."""
    return Run(MACHINE, {"wrk": "4.1.0"}, {"rounds": "3"}, list(found), list(starts), memory)


MEMORY = Memory(1_000_000, 15_000_000, [20_000_000] * 2, 20_000_000, [49_000_000, 51_000_000])


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


def test_a_day_is_nearly_all_metalinks() -> None:
    """Nearly all ask for metalinks, EPEL's with its variables; some are counted, some want text."""
    mix = make_mix(DATA, "day", 1, 180)
    assert sum(line.startswith("/metalink?") for line in mix) > 160
    assert all(("&infra=$infra" in line) is ("epel-10" in line) for line in mix)
    many = make_mix(msgspec.structs.replace(DATA, log=LOG * 20), "day", 1, 3600)
    assert any("countme=" in line for line in many)
    assert any(line.startswith("/mirrorlist?") for line in many)


def test_unknown_repositories_are_unknown_and_many() -> None:
    """A misspelt name is none of the data set's, and there are many of them."""
    asked = {
        line.partition("repo=")[2].partition("&")[0] for line in make_mix(DATA, "unknown", 1, 150)
    }
    assert asked.isdisjoint({"fedora-44", "epel-10", "nowhere"})
    assert len(asked) > 75


def test_redirects_are_to_files_of_repositories() -> None:
    """A redirect asks for a file of a repository that there is."""
    for line in make_mix(DATA, "redirect", 1, 100):
        assert line.startswith(
            ("/mirrorlist?path=pub/a/repodata/", "/mirrorlist?path=pub/b/repodata/")
        )
        assert "&redirect=1 " in line


def test_the_mix_comes_from_log_and_snapshot(tmp_path: Path) -> None:
    """Of a log its requests are read, of a snapshot its countries and carried directories."""
    log, snapshot = tmp_path / "requests.log", tmp_path / "mm.snap"
    log.write_text("IP: 192.0.2.1; DATE: 2026-11-21; COUNTRY: DE; REPO: a; ARCH: b\njunk\n")
    data = small_data((Mirror(),), {})
    repositories = [Repository("a", "b", 1, False)]
    snapshot.write_bytes(encode(msgspec.structs.replace(data, repositories=repositories)))
    found = read_data(log, snapshot)
    assert found.log == [Logged("192.0.2.1", "a", "b")]
    assert found.countries == ["CA", "DE", "FR", "US"]
    assert found.directories == ["top", "top/dir"]
    # Its directory has no repodata, so nobody can be redirected there.
    assert found.homes == {}


def test_a_log_without_lines_is_refused(tmp_path: Path) -> None:
    """A file that is no request log is named in one line."""
    log = tmp_path / "requests.log"
    log.write_text("something else\n")
    with pytest.raises(click.ClickException, match="has no line of a request log"):
        read_data(log, tmp_path / "mm.snap")


def test_medians() -> None:
    """A case's figures are the medians of its rounds, with the least and most CPU."""
    found = figures("ours", 30.0, 90.0, 40.0)
    assert (found.cpu, found.spread) == (40.0, (30.0, 90.0))
    assert (found.a_second, found.p50, found.p99, found.mean_bytes) == (500.0, 1.0, 9.0, 20_000.0)


@dataclass(frozen=True)
class Aim:
    """A goal beside what was measured."""

    name: str
    measured: float
    text: str


@pytest.mark.parametrize(
    ("run", "aims"),
    [
        pytest.param(run_of(), [], id="nothing measured"),
        pytest.param(
            run_of(figures("ours", 32.0)), [Aim("CPU a request, keep-alive", 32.0, "met")], id="met"
        ),
        pytest.param(
            run_of(figures("ours-close", 71.5)),
            [Aim("CPU a request, a connection each", 71.5, "missed by 1.5 us")],
            id="missed",
        ),
        pytest.param(
            run_of(figures("ours", 30.0), figures("floor", 11.0), figures("log", 36.0)),
            [
                Aim("CPU a request, keep-alive", 30.0, "met"),
                Aim("above this run's floor, keep-alive", 19.0, "met"),
                Aim("request log on, keep-alive", 1.2, "missed by 0.1 times"),
            ],
            id="floor and log",
        ),
        pytest.param(
            run_of(
                *(figures("ours", 30.0), figures("floor", 10.0)),
                *(figures("ours-2.5", 45.0), figures("floor-2.5", 15.0)),
            ),
            [
                Aim("CPU a request, keep-alive", 30.0, "met"),
                Aim("above this run's floor, keep-alive", 20.0, "met"),
                Aim("above the floor, scale 2.5 against 1", 1.5, "missed by 0.3 times"),
            ],
            id="scales",
        ),
        pytest.param(
            run_of(memory=MEMORY),
            [Aim("PSS, supervisor and two workers", 120.0, "met")],
            id="memory",
        ),
    ],
)
def test_goals(run: Run, aims: list[Aim]) -> None:
    """Each goal whose figures were measured is met or says by how much it is missed."""
    found = [Aim(one.name, round(one.measured, 6), one.text) for one in verdicts(run)]
    assert found == aims


def test_tables() -> None:
    """The tables show each case, the incumbent beside ours, the start, the memory, the goals."""
    found = run_of(
        *(figures("ours", 30.0, 40.0), figures("redirect", 25.0)),
        *(figures("incumbent", 320.0), figures("incumbent-redirect", 300.0)),
        memory=MEMORY,
        starts=[Start(200.0, 50.0, 1.0)],
    )
    text = "\n".join(map(markdown, sheets(found)))
    cells = "30.0-40.0 | 500 | 1.00 | 9.00 | 20,000 | 40.0-50.0 |"
    assert f"\n| ours | 35.0 | {cells}\n" in text
    assert "\n| redirect | 25.0 | 300.0 | 12.0 |\n" in text
    assert "\n| ours | 35.0 | 320.0 | 9.1 |\n" in text
    assert "\n| from exec to the first answer | 250.0 | 250.0-250.0 |\n" in text
    assert "\n|  | at the start | after 1,000,000 requests |\n" in text
    assert "\n| worker 2 | 20.0 | 51.0 |\n| all | 55.0 | 120.0 |\n" in text
    assert "\n| PSS, supervisor and two workers | 120 MB | 120 MB | met |\n" in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in lines)


def test_the_record_says_where_it_was_made() -> None:
    """A record names command, commit, machine and versions, and is read back as it was written."""
    found = run_of(figures("ours", 30.0))
    text = record(found)
    for words in ("`python -m x`, commit abcdef0.", "2 cores (a CPU), Debian", "wrk 4.1.0"):
        assert words in text
    changed = msgspec.structs.replace(
        found, machine=msgspec.structs.replace(MACHINE, commit="abcdef0+")
    )
    assert "commit abcdef0 and changes on top." in record(changed)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Run) == found


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
    found = fault(load, share)
    assert found is None if says is None else found is not None and found.startswith(says)


@pytest.mark.parametrize(
    ("target", "status", "body", "good"),
    [
        pytest.param("/metalink?a", 200, b"<url x>\n</metalink>\n", True, id="metalink"),
        pytest.param("/metalink?a", 200, b"</metalink>\n", False, id="no URL"),
        pytest.param("/metalink?a", 200, b"<url x>\n", False, id="cut short"),
        pytest.param("/metalink?a", 200, b"<!-- repo disabled -->", True, id="disabled"),
        pytest.param("/metalink?a", 500, b"<url x>\n</metalink>", False, id="error"),
        pytest.param("/mirrorlist?a", 200, b"# a\nhttps://a/\n", True, id="text"),
        pytest.param("/mirrorlist?a", 200, b"# https://a/\n", False, id="comment"),
        pytest.param("/mirrorlist?path=a&redirect=1", 302, b"", True, id="redirect"),
        pytest.param("/mirrorlist?path=a&redirect=1", 200, b"https://a/", False, id="no redirect"),
    ],
)
def test_what_a_client_can_use(target: str, status: int, body: bytes, good: bool) -> None:
    """An answer counts only if a client could use it."""
    assert is_meaningful(target, status, body) is good


def test_cases() -> None:
    """Each server is measured both ways, the incumbent only if it is there, scales beside them."""
    names = [case.name for case in all_cases((1.0, 2.5), with_incumbent=False)]
    assert len(names) == len(set(names))
    assert not any(name.startswith(INCUMBENT) for name in names)
    both = [name for name in names if f"{name}-close" in names]
    assert both == [OURS, "reuse-0", "asgi", "log", "floor-asgi", "floor"]
    assert {"ours-2.5", "floor-2.5", *ALL_REFUSED} <= set(names)
    with_it = {case.name for case in all_cases((1.0,), with_incumbent=True)} - set(names)
    assert {"incumbent", "incumbent-close", "incumbent-unknown", "incumbent-redirect"} <= with_it
    assert set(FLOORS) < set(names)


def test_a_choice_of_cases() -> None:
    """Cases are chosen by name or pattern, in their order; one that fits none is refused."""
    names = ["ours", "ours-close", "floor"]
    assert chosen(names, []) == names
    assert chosen(names, ["floor", "ours"]) == ["ours", "floor"]
    assert chosen(names, ["ours*"]) == ["ours", "ours-close"]
    with pytest.raises(click.UsageError, match="no case is called our; there are ours, "):
        chosen(names, ["our"])


def test_a_server_that_does_not_start(tmp_path: Path) -> None:
    """The last line of what it said is told, in one line."""
    (tmp_path / "mm.snap").write_bytes(b"something else")
    with Servers() as servers, pytest.raises(click.ClickException) as caught:
        servers.ours(tmp_path / "mm.snap")
    assert "does not start: mirrorlist: error: " in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("url", "says"),
    [
        pytest.param("127.0.0.1:3000", "give it as http://ADDRESS:PORT", id="no scheme"),
        pytest.param("http://127.0.0.1:3000/metalink", "give it as", id="a path"),
        pytest.param("http://127.0.0.1:99999", "give it as", id="no port"),
        pytest.param("http://127.0.0.1:1", "no answer", id="nobody there"),
    ],
)
def test_an_incumbent_that_is_none(url: str, says: str) -> None:
    """What cannot be measured as an incumbent is refused in one line."""
    with pytest.raises(click.ClickException, match=says):
        running(url, os.getpid())


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A data set's folder below a file is refused in one line, before anything is made."""
    (tmp_path / "file").write_bytes(b"")
    with show_phases() as phases, pytest.raises(click.ClickException, match="cannot be made"):
        prepare(tmp_path / "file", 0.01, 1, phases)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(["--incumbent", "http://127.0.0.1:1"], "go together", id="no pid"),
        pytest.param(["--only", "nothing"], "no case is called nothing", id="no case"),
        pytest.param(["--scale", "3"], "3", id="scale"),
    ],
)
def test_wrong_options(options: list[str], says: str, tmp_path: Path) -> None:
    """A wrong option is refused with code 2 before anything is made."""
    done = CliRunner().invoke(main, [*options, "--directory", str(tmp_path / "data")])
    assert done.exit_code == 2
    assert says in done.output
    assert not (tmp_path / "data").exists()
