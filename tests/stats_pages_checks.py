"""That every number on every page of the statistics is what direct SQL gives."""

from datetime import date, timedelta
from urllib.parse import quote

from starlette.testclient import TestClient

from tests.stats_pages_world import (
    DAY,
    FIRST,
    NOW,
    TODAY_DATE,
    Shown,
    days,
    number,
    one,
    requests,
    rows_of,
    shown,
)
from tests.stats_world import query

AGES = {"1": "first week", "2": "up to a month", "3": "up to half a year", "4": "older"}
NAMES = {"DE": "Germany (DE)", "FR": "France (FR)", "SG": "Singapore (SG)"}
NAMES |= {"": "none", "4": "IPv4", "6": "IPv6", "tab\tand\\n": "tab\\u0009and\\n"}
BYS = (
    "release",
    "repo",
    "arch",
    "country",
    "client",
    "countme",
    "status",
    "tier",
    "kind",
    "family",
)
SYSTEMS = "countme <> '0'"


def _column(by: str) -> str:
    return {"repo": "k.repo", "release": "r.release"}.get(by, by)


def _quoted(text: str) -> str:
    return "'{}'".format(text.replace("'", "''"))


def _named(by: str, value: str) -> str:
    ages = {"0": "not counted", **AGES}
    return ages[value] if by == "countme" else NAMES.get(value, value)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def hold_requests(client: TestClient, url: str, by: str) -> None:
    """Hold the plot, the table and both files of requests by a label."""
    wanted = requests(url, _column(by), FIRST, TODAY_DATE)
    whole = sum(wanted.values())
    page = shown(client, f"/requests?by={by}")
    figures, table = page.tables
    _hold_file(client, figures, by)
    found = {name: (number(count), share) for name, _, share, count in table[1:]}
    assert found == {
        _named(by, value): (count, _percent(count, whole)) for value, count in wanted.items()
    }
    _hold_figures(url, figures, by, FIRST, TODAY_DATE)
    since = f"since={FIRST}&until={TODAY_DATE}"
    assert {one[0]: int(one[1]) for one in rows_of(client, f"/data/sums.csv?by={by}&{since}")} == {
        _cell(value): count for value, count in wanted.items()
    }


def _hold_file(client: TestClient, figures: list[list[str]], by: str) -> None:
    """Hold that the file of a plot has its figures, and no others."""
    head, *rows = figures
    wanted = {
        (row[0], name): number(row[place])
        for row in rows
        for place, name in enumerate(head)
        if name not in ("Days", "All")
    }
    found = rows_of(client, f"/data/trend.csv?by={by}&since={FIRST}&until={TODAY_DATE}")
    names = {"(rest)": "all others"}
    assert {
        (day, names.get(value) or _named(by, value.removeprefix("'"))): int(count)
        for day, _, value, count in found
    } == wanted


def _cell(value: str) -> str:
    return f"'{value}" if value[:1] in ("=", "+", "-", "@") else value


def _hold_figures(
    url: str, figures: list[list[str]], by: str, since: date, until: date, where: str = "1=1"
) -> None:
    """Hold the figures behind a plot: by day, with a column for each of the largest values."""
    largest = requests(url, _column(by), since, until, where)
    names = {_named(by, value): value for value in largest}
    head, *rows = figures
    assert [row[0] for row in rows] == days(since, until)
    all_days = requests(url, "day", since, until, where)
    rest = dict(all_days)
    for place, name in enumerate(head[1:], 1):
        if name in ("All", "all others"):
            continue
        condition = f"{_column(by)} = {_quoted(names[name])} AND {where}"
        wanted = requests(url, "day", since, until, condition)
        assert {row[0]: number(row[place]) for row in rows} == {
            row[0]: wanted[row[0]] for row in rows
        }
        rest = {day: rest.get(day, 0) - wanted[day] for day in all_days}
    if "all others" in head:
        place = head.index("all others")
        assert {row[0]: number(row[place]) for row in rows} == {
            row[0]: rest.get(row[0], 0) for row in rows
        }
    if "All" in head:
        assert {row[0]: number(row[-1]) for row in rows} == {
            row[0]: all_days[row[0]] for row in rows
        }


def hold_first_page(client: TestClient, url: str) -> None:
    """Hold the numbers at the top, and all below."""
    page = shown(client, "/")

    def total(first: date, last: date, where: str = "1=1") -> int:
        return sum(requests(url, "day", first, last, where).values())

    yesterday, week = TODAY_DATE - DAY, (TODAY_DATE - 7 * DAY, TODAY_DATE - DAY)
    monday = TODAY_DATE - timedelta(TODAY_DATE.weekday() + 7)
    assert page.facts == {
        "Requests today": f"{total(TODAY_DATE, TODAY_DATE):,}",
        "Yesterday": f"{total(yesterday, yesterday):,}",
        "Last 7 days": f"{total(*week):,}",
        "Systems a week": f"{total(monday, monday + 6 * DAY, SYSTEMS):,}",
        "Addresses yesterday": f"about {_estimate(url, yesterday):,}",
        "Got a list": _percent(total(*week, "status = '200'"), total(*week)),
        "Unknown repository": _percent(total(*week, "k.repo = '(unknown)'"), total(*week)),
    }
    hours = f"hour < '{{}} {NOW.hour:02}:00:00'"
    before = total(yesterday, yesterday, hours.format(yesterday))
    now = total(TODAY_DATE, TODAY_DATE, hours.format(TODAY_DATE))
    assert f"{_change(now, before)} against yesterday until {NOW.hour:02}:00" in page.text
    day = total(yesterday, yesterday), total(yesterday - DAY, yesterday - DAY)
    assert f"{_change(*day)} against the day before" in page.text
    weeks = total(*week), total(TODAY_DATE - 14 * DAY, TODAY_DATE - 8 * DAY)
    assert f"{_change(*weeks)} against the 7 before" in page.text
    releases, countries, repositories, ages, addresses, unknown = page.tables
    _hold_figures(url, releases, "release", FIRST, TODAY_DATE)
    _hold_top(url, countries, "country", page)
    _hold_top(url, repositories, "repo", page)
    _hold_ages(url, ages, monday)
    _hold_addresses(url, addresses)
    assert len(unknown) == 11
    _hold_unknown(url, unknown)


def _change(now: int, before: int) -> str:
    percent = round(100 * (now - before) / before, 1)
    sign = "+" if percent > 0 else "\u2212" if percent < 0 else "\u00b1"
    shown = abs(percent)
    digits = f"{shown:.1f}" if 0 < shown < 10 and shown != round(shown) else f"{shown:,.0f}"
    return f"{sign}{digits} %"


def _estimate(url: str, day: date) -> int:
    return one(url, f"SELECT sum(estimate) FROM stat_sketch WHERE day = '{day}' AND repo = ''")


def _hold_top(url: str, table: list[list[str]], by: str, page: Shown) -> None:
    wanted = requests(url, _column(by), FIRST, TODAY_DATE)
    whole = sum(wanted.values())
    names = {_named(by, value): count for value, count in wanted.items()}
    top = sorted(wanted.values(), reverse=True)
    rows = [row for row in table[1:] if row[0] != "all others"]
    assert [number(row[3]) for row in rows] == top[: len(rows)]
    for name, _, share, count in rows:
        assert (number(count), share) == (names[name], _percent(names[name], whole))
    for name, _, _, count in table[1:]:
        if name == "all others":
            assert number(count) == whole - sum(top[: len(rows)])
    if by == "country":
        titles = {name.split(" (")[0]: count for name, count in names.items()}
        for name, times in titles.items():
            if name != "N/A":
                assert f"{name}: {times:,} ({_percent(times, whole)})" in page.titles


def _hold_ages(url: str, figures: list[list[str]], monday: date) -> None:
    head, *rows = figures
    assert head == ["Days", *AGES.values(), "All"]
    firsts = [date.fromisoformat(row[0].split(" ")[0]) for row in rows]
    assert firsts[1] == monday
    assert firsts[-1] == FIRST - timedelta(FIRST.weekday())
    for first, row in zip(firsts, rows, strict=True):
        wanted = requests(url, "countme", first, first + 6 * DAY)
        assert [number(each) for each in row[1:5]] == [wanted[age] for age in AGES]
        assert number(row[5]) == sum(wanted[age] for age in AGES)


def _hold_addresses(url: str, figures: list[list[str]]) -> None:
    assert [row[0] for row in figures[1:]] == days(FIRST, TODAY_DATE)
    for day, *count in figures[1:]:
        wanted = _estimate(url, date.fromisoformat(day))
        assert [number(each) for each in count] == [wanted]


def _hold_unknown(url: str, table: list[list[str]]) -> None:
    found = query(
        url,
        "SELECT repo, sum(requests), count(DISTINCT day), max(day) FROM stat_unknown WHERE day >="
        f" '{FIRST}' AND day <= '{TODAY_DATE}' GROUP BY repo",
    )
    wanted = sorted((int(each[1]) for each in found), reverse=True)
    assert [number(row[1]) for row in table[1:]] == wanted[: len(table) - 1]
    assert {tuple(map(str, each[2:])) for each in found} >= {(row[2], row[3]) for row in table[1:]}


def hold_other_pages(client: TestClient, url: str) -> None:
    """Hold the pages of systems, addresses, countries, hosts and unknown repositories."""
    (ages,) = shown(client, "/systems").tables
    _hold_ages(url, ages, TODAY_DATE - timedelta(TODAY_DATE.weekday() + 7))
    every, by_release = shown(client, "/addresses").tables
    _hold_addresses(url, every)
    found = {
        (row[0], name): number(row[place])
        for row in by_release[1:]
        for place, name in enumerate(by_release[0])
        if name in ("Fedora 43", "EPEL 9")
    }
    wanted = query(
        url,
        "SELECT day, release, sum(estimate) FROM stat_release_sketch WHERE arch = ''"
        " GROUP BY day, release",
    )
    assert {key: count for key, count in found.items() if count} == {
        (day, release): int(count) for day, release, count in wanted
    }
    page = shown(client, "/countries")
    _hold_top(url, page.tables[0], "country", page)
    (hosts,) = shown(client, "/hosts").tables
    named = _named_first(url, "host")
    assert {row[0]: number(row[3]) for row in hosts[1:]} == named
    page = shown(client, "/unknown")
    _hold_unknown(url, page.tables[1])
    where = "k.repo = '(unknown)'"
    _hold_figures(url, page.tables[0], "client", FIRST, TODAY_DATE, where)
    asked = sum(requests(url, "day", FIRST, TODAY_DATE, where).values())
    whole = sum(requests(url, "day", FIRST, TODAY_DATE).values())
    assert page.facts == {"Requests": f"{asked:,}", "Of all requests": _percent(asked, whole)}


def _named_first(url: str, cube: str, where: str = "1=1") -> dict[str, int]:
    label = cube.rpartition(",")[2]
    rows = query(
        url,
        f"SELECT k.{label}, sum(t.requests) FROM stat_day t JOIN stat_key k ON k.id = t.key_id"
        f" WHERE k.cube = '{cube}' AND t.day >= '{FIRST}' AND t.day <= '{TODAY_DATE}' AND {where}"
        f" GROUP BY k.{label}",
    )
    return {each[0]: int(each[1]) for each in rows}


def hold_host(client: TestClient, url: str, name: str) -> None:
    """Hold the page of a host."""
    page = shown(client, f"/host/{quote(name, safe='')}")
    tiers = _named_first(url, "host,tier", f"k.host = '{name}'")
    times, whole = sum(tiers.values()), sum(_named_first(url, "host").values())
    assert number(page.facts["Named first"]) == times
    assert page.facts["Of all lists"] == _percent(times, whole)
    figures, table = page.tables
    assert {row[0]: number(row[3]) for row in table[1:]} == tiers
    for tier, count in tiers.items():
        place = figures[0].index(tier)
        assert sum(number(row[place]) for row in figures[1:]) == count


def hold_repository(client: TestClient, url: str, name: str) -> None:
    """Hold the page of a repository."""
    page = shown(client, f"/repository/{quote(name, safe='')}")
    where = f"k.repo = {_quoted(name)}"
    count = sum(requests(url, "day", FIRST, TODAY_DATE, where).values())
    whole = sum(requests(url, "day", FIRST, TODAY_DATE).values())
    before = requests(url, "day", FIRST - 30 * DAY, FIRST - DAY, where)
    countries = requests(url, "country", FIRST, TODAY_DATE, where)
    assert page.facts == {
        "Requests": f"{count:,}",
        "Change": _change(count, sum(before.values())) if before else "\u2013",
        "Of all requests": _percent(count, whole),
        "Countries": str(len(countries)),
    }
    arches, shown_countries, _, _, *tables = page.tables
    _hold_figures(url, arches, "arch", FIRST, TODAY_DATE, where)
    found = {row[0]: number(row[3]) for row in shown_countries[1:]}
    assert found == {_named("country", each): n for each, n in countries.items()}
    for by, table in zip(("client", "status", "tier", "kind", "family"), tables, strict=True):
        wanted = requests(url, by, FIRST, TODAY_DATE, where)
        assert {row[0]: number(row[3]) for row in table[1:]} == {
            _named(by, value): n for value, n in wanted.items()
        }


def hold_links(client: TestClient, page: Shown) -> None:
    """Hold that each link of a page stays here, and leads to a page; of many, that some do."""
    for link in sorted({*page.links})[::2]:
        assert link.startswith("/")
        assert not link.startswith("//")
        assert client.get(link).status_code == 200, link
