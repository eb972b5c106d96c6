"""What `mirrorlist stats top`, `trend` and `table` show is what direct SQL gives."""

import csv
import io
import json
import os
import pty
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mirrorlist.cli.stats_shown import sparkline
from snapshot.file.errors import DatabaseError, QuestionError
from snapshot.link import Link, linked
from snapshot.stats.collecting import collect
from snapshot.stats.expiring import Keep, expire
from snapshot.stats.queries import courses, table, total
from snapshot.stats.questions import Course, Question, Step
from snapshot.stats.releases import by_name
from snapshot.stats.spool import Batch
from tests.command import COMMAND, PLAIN, assert_refused, run_unread
from tests.command import run_inside as run
from tests.stats_world import FIELDS, TODAY, batch, batches, query, row, sketch, spooled, sqlite

DAY = timedelta(1)
LAST = datetime.fromtimestamp(TODAY, UTC).date()
FIRST = LAST - timedelta(40)
GIVEN = batches(1, 8, 60, days=40)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with random counts of 40 days."""
    folder = tmp_path_factory.mktemp("look")
    url = sqlite(folder)
    collect([spooled(folder / "spool", GIVEN)], url)
    return url


@pytest.fixture
def link(url: str) -> Iterator[Link]:
    """A connection to it."""
    with linked(url) as link:
        yield link


def by_hand(
    given: list[Batch], by: tuple[str, ...], since: date, until: date, **where: str
) -> Counter[tuple[str, ...]]:
    """Count requests by labels in some days."""
    found: Counter[tuple[str, ...]] = Counter()
    for one in given:
        for each in one.counts:
            time = datetime.fromtimestamp(each.hour, UTC)
            times = {"hour": f"{time:%Y-%m-%d %H:%M:%S}", "day": f"{time:%Y-%m-%d}"}
            times |= {"month": f"{time:%Y-%m-01}", "release": by_name(each.repository)}
            labels: dict[str, str] = {
                label: times.get(label) or str(getattr(each, FIELDS.get(label, label)))
                for label in (*by, *where)
            }
            if since <= time.date() <= until and all(labels[a] == b for a, b in where.items()):
                found[tuple(labels[label] for label in by)] += each.requests
    return found


@pytest.mark.parametrize(
    ("by", "where"),
    [
        ((), {}),
        (("repo",), {}),
        (("repo", "arch"), {}),
        (("country", "repo", "arch"), {}),
        (("arch",), {"repo": "epel-9"}),
        (("country",), {"repo": "epel-9"}),
        (("kind", "status"), {}),
        (("countme", "client"), {"country": "DE"}),
        (("repo", "countme"), {"arch": "x86_64"}),
        (("day",), {}),
        (("day", "country"), {}),
        (("repo", "hour"), {}),
        (("month", "arch"), {}),
        (("release",), {}),
        (("release", "country"), {"arch": "aarch64"}),
        (("repo", "release"), {}),
        (("day", "release"), {}),
        (("hour", "arch"), {"release": "Fedora 43"}),
        (("month", "release", "arch"), {}),
        ((), {"release": "Fedora 43"}),
        # These are together in no cube.
        (("repo", "country", "client"), {}),
        (("arch", "family", "day"), {"kind": "metalink"}),
        (("hour", "repo", "country"), {}),
        ((), {"repo": "epel-9", "country": "DE", "client": "dnf"}),
        (("release", "country", "client"), {}),
    ],
    ids=str,
)
@pytest.mark.parametrize("days", [(0, 40), (3, 3), (10, 30)], ids=str)
def test_a_table(
    link: Link, by: tuple[str, ...], where: dict[str, str], days: tuple[int, int]
) -> None:
    """Each line is what was counted by hand, and so is their sum; the largest come first."""
    since, until = (FIRST + timedelta(n) for n in days)
    if "month" in by:
        # A month is shown whole.
        since, until = FIRST.replace(day=1), date(2999, 1, 1)
    wanted = by_hand(GIVEN, by, since, until, **where)
    question = Question(by, since, until, where)
    lines = table(link, question)
    assert {line.values: line.requests for line in lines} == wanted
    assert total(link, question) == sum(wanted.values())
    if not {*by} & {"hour", "day", "month"}:
        counts = [line.requests for line in lines]
        assert counts == sorted(counts, reverse=True)
        assert table(link, question, 2) == lines[:2]


@pytest.mark.parametrize("length", [timedelta(hours=1), DAY, timedelta(7)], ids=str)
@pytest.mark.parametrize(
    ("by", "where"),
    [
        ((), {}),
        (("arch",), {}),
        (("repo", "arch"), {"repo": "epel-9"}),
        (("release", "arch"), {"arch": "aarch64"}),
    ],
    ids=str,
)
def test_a_course(
    link: Link, length: timedelta, by: tuple[str, ...], where: dict[str, str]
) -> None:
    """Each step has what direct SQL gives for it."""
    begin = datetime(FIRST.year, FIRST.month, FIRST.day) + 20 * DAY
    steps = [Step(begin + n * length, begin + (n + 1) * length) for n in range(12)]
    lines = table(link, Question(by, where=where))
    labels = "".join(f", {label}" for label in by)
    details = "stat_detail JOIN stat_release USING (repo)" if "release" in by else "stat_detail"
    conditions = "".join(f" AND {label} = '{value}'" for label, value in where.items())
    for n, step in enumerate(steps):
        sql = (
            f"SELECT sum(requests){labels} FROM {details} WHERE hour >= '{step.first}'"
            f" AND hour < '{step.end}'{conditions} GROUP BY 1=1{labels}"
        )
        wanted = {row[1:]: row[0] for row in query("sqlite:///" + _file(link), sql)}
        found = courses(link, Question(by, where=where), steps, lines)
        assert {one.values: one.requests[n] for one in found if one.requests[n]} == wanted


def _file(link: Link) -> str:
    return str(link.query("PRAGMA database_list")[0][2])


def test_courses_of_nothing(link: Link) -> None:
    """Without a line there is no course, and a line without requests has zeros."""
    begin = datetime(1990, 1, 1)
    steps = [Step(begin, begin + DAY)]
    assert courses(link, Question(("arch",)), steps, []) == []
    lines = table(link, Question(()))
    assert courses(link, Question(()), steps, lines) == [Course((), [0])]


def test_hosts(link: Link) -> None:
    """How often a host was named first is asked for by host and tier."""
    wanted: Counter[tuple[str, ...]] = Counter()
    for one in GIVEN:
        for each in one.hosts:
            wanted[each.host, each.tier] += each.times
    question = Question(("host", "tier"))
    assert {one.values: one.requests for one in table(link, question)} == wanted
    assert total(link, question) == sum(wanted.values())


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (Question(("repos",)), "repos: not a label (perhaps repo?)"),
        (Question(("repo", "repo")), "each once"),
        (Question(("hour", "day")), "one of hour, day, month"),
        (Question(("host", "repo")), "host: counted with tier alone"),
        (Question((), date(2026, 2, 2), date(2026, 2, 1)), "2026-02-02 is after until 2026-02-01"),
        (Question((), where={"day": "x"}), "day: not a label"),
        (Question(("month", "repo", "client", "country")), "not kept by month"),
        (
            Question(("repo", "country", "client"), date(2000, 1, 1)),
            "repo,country,client: kept together since",
        ),
    ],
    ids=str,
)
def test_a_question_without_an_answer(link: Link, question: Question, words: str) -> None:
    """It is refused in words that lead on."""
    with pytest.raises(QuestionError) as refused:
        table(link, question)
    assert words in str(refused.value)


def test_no_statistics(tmp_path: Path) -> None:
    """A database without the tables is refused with what makes them."""
    with linked(sqlite(tmp_path)) as link, pytest.raises(DatabaseError, match="stats collect"):
        table(link, Question())


def test_sums_do_not_change_when_days_expire(tmp_path: Path) -> None:
    """A question about days that are kept has the same answer before and after an expiry."""
    url = sqlite(tmp_path)
    collect([spooled(tmp_path / "spool", GIVEN)], url)
    until = LAST
    question = Question(("repo", "arch"), until - timedelta(9), until)
    with linked(url) as link:
        before = table(link, question)
    expire(url, Keep(days=20), datetime.fromtimestamp(TODAY, UTC))
    with linked(url) as link:
        assert table(link, question) == before
        kept = table(link, Question(("repo", "arch")))
    sums = by_hand(GIVEN, ("repo", "arch"), until - timedelta(20), until)
    assert {one.values: one.requests for one in kept} == sums


def data(url: str, *words: str) -> Any:
    """Run a command with --json and return what it printed."""
    done = run("stats", *words, "--database", url, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_json_and_csv(url: str) -> None:
    """The same rows in both: the names of --by and `requests`; a trend has its steps too."""
    rows = data(url, "table", "--by", "repo,arch,country")
    wanted = by_hand(GIVEN, ("repo", "arch", "country"), FIRST, LAST)
    assert [*rows[0]] == ["repo", "arch", "country", "requests"]
    assert {(r["repo"], r["arch"], r["country"]): r["requests"] for r in rows} == wanted
    done = run("stats", "table", "--by", "repo,arch,country", "--csv", "--database", url)
    shown = [*csv.DictReader(io.StringIO(done.stdout))]
    assert [{**one, "requests": int(one["requests"])} for one in shown] == rows
    assert data(url, "top", "--by", "arch", "--most", "1") == data(url, "table", "--by", "arch")[:1]
    before = datetime.now(UTC)
    days = data(url, "trend", "--since", str(LAST - DAY))
    assert sum(one["requests"] for one in days) == sum(
        by_hand(GIVEN, (), LAST - DAY, LAST).values()
    )
    assert [*days[0]] == ["from", "to", "requests"]
    # Steps of two hours, up to this hour.
    first = datetime.fromtimestamp(TODAY, UTC) - DAY
    hours = {(one - first) // timedelta(hours=1) + 1 for one in (before, datetime.now(UTC))}
    assert len(days) in {-(-one // 2) for one in hours}


def test_one_form_alone(url: str) -> None:
    """Both are refused; the flag --csv wins over the variable of --json."""
    for command in ("top", "trend", "table", "addresses"):
        words = ("stats", command, "--database", url, "--csv")
        assert_refused(run(*words, "--json"), 2, "--json and --csv: only one of them")
    assert run(*words, MIRRORLIST_JSON="true").stdout.startswith("day,addresses\n")


def test_no_formula_in_csv(tmp_path: Path) -> None:
    """A name that begins as a formula has a mark before it; in JSON it is as it was asked for."""
    names = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "epel-9"]
    rows = [row(requests=9 - n, repository=one) for n, one in enumerate(names)]
    url = sqlite(tmp_path)
    collect([spooled(tmp_path / "spool", [batch(1, *rows)])], url)
    done = run("stats", "table", "--by", "repo", "--csv", "--database", url)
    shown = [one[0] for one in csv.reader(io.StringIO(done.stdout))]
    assert shown == ["repo", *(f"'{one}" for one in names[:4]), "epel-9"]
    assert [one["repo"] for one in data(url, "table", "--by", "repo")] == names


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_data_that_nobody_reads(url: str, form: str) -> None:
    """A reader that ended first is not a failure."""
    assert run_unread("stats", "table", "--database", url, form) == (0, "")


def test_names_with_orders_for_a_terminal(tmp_path: Path) -> None:
    """What others wrote, such as a name in a log, is shown without control characters."""
    folder, url = tmp_path / "spool", sqlite(tmp_path)
    collect([spooled(folder, [batch(1, row(repository="epel\33[2J"))])], url)
    for words in (["top"], ["table", "--by", "repo"], ["trend", "--by", "repo"]):
        done = run("stats", *words, "--database", url)
        assert "epel?[2J" in done.stdout
        assert "\33" not in done.stdout
    table = ("stats", "table", "--by", "repo", "--csv", "--database", url)
    assert "epel\33[2J,1\n" in run(*table).stdout
    ours, theirs = pty.openpty()
    # Standard output is a terminal, whose room is enough for all of it.
    subprocess.run([*COMMAND, *table], stdout=theirs, env=PLAIN, check=True)
    os.close(theirs)
    assert "epel?[2J,1" in os.read(ours, 9999).decode()
    os.close(ours)


def test_what_people_see(url: str) -> None:
    """Lines of at most 80 columns, with shares, a course and the whole."""
    done = run("stats", "top", "--by", "arch", "--database", url)
    whole = sum(by_hand(GIVEN, (), FIRST, LAST).values())
    assert done.stderr == f"mirrorlist: {whole:,} requests in all\n"
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["arch", "requests", "share", "course"]
    assert len(lines) == 2
    counts = by_hand(GIVEN, ("arch",), FIRST, LAST)
    for line in lines:
        arch, requests, share, percent, *course = line.split()
        assert int(requests.replace(",", "")) == counts[(arch,)]
        assert (share, percent) == (f"{100 * counts[(arch,)] / whole:.1f}", "%")
        assert len("".join(course)) > 10
    for words in (["top", "--by", "repo,country"], ["trend"], ["trend", "--by", "country"]):
        done = run("stats", *words, "--database", url)
        assert done.returncode == 0, done.stderr
        assert max(map(len, done.stdout.splitlines())) <= 80
    none = run("stats", "top", "--since", "1999-01-01", "--until", "1999-01-02", "--database", url)
    assert none.stderr == "mirrorlist: no requests\n"


def test_addresses(tmp_path: Path) -> None:
    """Each day's distinct addresses, of all and by repository; secrets are told apart."""
    url = sqlite(tmp_path)
    yesterday = sketch(range(300), TODAY - 86400)
    first = batch(1, sketches=(sketch(range(500)), yesterday), key="k")
    second = batch(2, sketches=(sketch(range(400, 700)),), key="k")
    collect([spooled(tmp_path / "spool", [first, second])], url)
    days = data(url, "addresses")
    assert [one["day"] for one in days] == [str(LAST - DAY), str(LAST)]
    wanted = (300, 700)
    assert all(abs(a["addresses"] / b - 1) < 0.05 for a, b in zip(days, wanted, strict=True))
    assert [
        one[0]
        for one in query(url, "SELECT estimate FROM stat_sketch WHERE repo = '' ORDER BY day")
    ] == [one["addresses"] for one in days]
    (only,) = data(url, "addresses", "--by", "repo,arch", "--since", str(LAST))
    assert (only["repo"], only["arch"]) == ("fedora-43", "x86_64")
    other = batch(3, sketches=(sketch(range(10)),), key="other")
    collect([spooled(tmp_path / "spool", [other])], url)
    done = run("stats", "addresses", "--database", url)
    assert "servers used 2 secrets on a day" in done.stderr
    assert abs(int(done.stdout.split()[-1]) - 710) < 36


def test_addresses_of_releases(tmp_path: Path) -> None:
    """An address that asks for several repositories of a release counts once in it."""
    url = sqlite(tmp_path)
    parts = [
        ("fedora-43", "x86_64", range(400)),
        ("updates-released-f43", "x86_64", range(100, 500)),
        ("fedora-43", "aarch64", range(450, 600)),
        ("epel-9", "x86_64", range(200)),
    ]
    for n, (repo, arch, addresses) in enumerate(parts):
        given = batch(n + 1, sketches=(sketch(addresses, repo=repo, arch=arch),), key="k")
        collect([spooled(tmp_path / "spool", [given])], url)
    wanted = {("Fedora 43",): 600, ("EPEL 9",): 200}
    of_arch = {
        ("Fedora 43", "x86_64"): 500,
        ("EPEL 9", "x86_64"): 200,
        ("Fedora 43", "aarch64"): 150,
    }
    for by, expected in (("release", wanted), ("release,arch", of_arch)):
        rows = data(url, "addresses", "--by", by)
        found = {tuple(one[label] for label in by.split(",")): one["addresses"] for one in rows}
        assert [*found] == [*expected]
        assert all(abs(found[at] / count - 1) < 0.05 for at, count in expected.items())
    chosen = data(url, "addresses", "--by", "arch", "--where", "release=Fedora 43")
    assert [one["arch"] for one in chosen] == ["x86_64", "aarch64"]
    done = run("stats", "addresses", "--by", "arch", "--database", url)
    assert_refused(done, 2, "addresses: counted by release, by release,arch and by repo,arch")


@pytest.mark.parametrize(
    ("repo", "release"),
    [
        ("fedora-43", "Fedora 43"),
        ("fedora-modular-source-38", "Fedora 38"),
        ("updates-testing-debug-f44", "Fedora 44"),
        ("updates-released-f20-001", "Fedora 20"),
        ("fedora-cisco-openh264-43", "Fedora 43"),
        ("rawhide", "Fedora rawhide"),
        ("rawhide-modular-debug", "Fedora rawhide"),
        ("epel-9", "EPEL 9"),
        ("epel-testing-next-10.1", "EPEL 10.1"),
        ("centos-baseos-10-stream", "CentOS 10-stream"),
        ("almalinux-appstream-9", "almalinux 9"),
        ("(unknown)", "(unknown)"),
        ("fedora-eln", "(no release)"),
        ("43", "(no release)"),
    ],
)
def test_a_name_of_a_release(repo: str, release: str) -> None:
    """Without MirrorManager's tables a repository's name says its release."""
    assert by_name(repo) == release


def test_mirrormanagers_releases(tmp_path: Path) -> None:
    """Its tables win over names, and what they say later is true of earlier days as well."""
    url = sqlite(tmp_path)
    given = [batch(1, row(requests=3)), batch(2, row(requests=4, repository="f43-beta"))]
    collect([spooled(tmp_path / "spool", given)], url)
    assert data(url, "table", "--by", "release") == [{"release": "Fedora 43", "requests": 7}]
    with sqlite3.connect(tmp_path / "stats.sqlite") as connection:
        connection.executescript("""
            CREATE TABLE product (id INTEGER, name TEXT);
            CREATE TABLE version (id INTEGER, name TEXT, display_name TEXT, product_id INTEGER);
            CREATE TABLE repository (id INTEGER, prefix TEXT, version_id INTEGER);
            INSERT INTO product VALUES (1, 'Fedora');
            INSERT INTO version VALUES (1, '43', NULL, 1), (2, 'development', 'rawhide', 1),
                (3, '44', '', 1);
            INSERT INTO repository VALUES (1, 'fedora-43', 3), (2, 'fedora-43', 3),
                (3, 'f43-beta', 2), (4, NULL, 1), (5, '', 1), (6, 'f1', NULL);
            """)
    connection.close()
    collect([spooled(tmp_path / "spool", [batch(3, row(repository="epel-9"))])], url)
    assert data(url, "table", "--by", "release") == [
        {"release": "Fedora rawhide", "requests": 4},
        {"release": "Fedora 44", "requests": 3},
        {"release": "EPEL 9", "requests": 1},
    ]


def test_long_names(tmp_path: Path) -> None:
    """Names are cut so that each line fits in 80 columns, on one row."""
    names = [f"{'a-long-name-' * 6}{n}" for n in range(3)]
    rows = [row(requests=1_234_567 * (n + 1), repository=one) for n, one in enumerate(names)]
    url = sqlite(tmp_path)
    collect([spooled(tmp_path / "spool", [batch(1, *rows)])], url)
    for by, lines in (("repo", 4), ("repo,arch", 4), ("repo,arch,country", 4)):
        for command in ("top", "trend"):
            done = run("stats", command, "--by", by, "--database", url)
            shown = done.stdout.splitlines()
            assert len(shown) == lines, done.stdout
            assert max(map(len, shown)) <= 80
    assert names[0] in run("stats", "table", "--by", "repo", "--csv", "--database", url).stdout


def test_since_when_labels_are_together(url: str) -> None:
    """Sums that only the last days have are said to be so, unless a first day is asked for."""
    words = ("stats", "table", "--by", "repo,client,country", "--database", url)
    assert "counted together since" in run(*words).stderr
    assert "counted together" not in run(*words, "--since", str(LAST)).stderr


def test_a_wrong_value(url: str) -> None:
    """It is refused in one line with what it should be."""
    for words, said in (
        (["top", "--since", "yesterday"], "--since yesterday: not a day such as 2026-11-27"),
        (["top", "--where", "repo"], "--where repo: not LABEL=VALUE"),
        (["table", "--by", "x"], "x: not a label"),
        (["table", "--until", "9999-12-31"], "--until 9999-12-31: later than 2199-12-31"),
        (["table", "--where", "repo=a\udcff"], "--where 'repo=a\\udcff': not UTF-8"),
        (["trend", "--by", "day"], "day: a course has steps already; leave it out"),
    ):
        assert_refused(run("stats", *words, "--database", url), 2, said)


def test_requests_after_today(tmp_path: Path) -> None:
    """A clock that is ahead makes no course, and no error."""
    later = TODAY + 86400
    spooled(tmp_path / "spool", [batch(1, row(hour=later, requests=3), begun=TODAY)])
    url = sqlite(tmp_path)
    collect([tmp_path / "spool"], url)
    for words in ([], ["--by", "repo"]):
        done = run("stats", "trend", *words, "--database", url)
        assert (done.returncode, done.stderr) == (0, "mirrorlist: no requests up to now\n")


def test_a_sparkline() -> None:
    """The largest is the highest, and nothing is the lowest."""
    assert sparkline([0, 1, 4, 8]).plain == "▁▁▄█"
    assert sparkline([0, 0]).plain == "▁▁"
