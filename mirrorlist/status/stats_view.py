"""The pages of the statistics as HTML."""

import time
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment

from mirrorlist.process.wording import visible
from mirrorlist.status import stats_plots as plots
from mirrorlist.status.admin import Reply
from mirrorlist.status.html import made, make_environment
from mirrorlist.status.stats_asked import DAYS, Asked, escaped, url
from mirrorlist.status.worldmap import drawn

if TYPE_CHECKING:
    from snapshot.stats.shown import (
        AddressesPage,
        FirstPage,
        HostPage,
        RepositoryPage,
        RequestsPage,
        Statistics,
        UnknownPage,
    )
    from snapshot.stats.views import Days, Sums, Trend

_STYLE = ("style.css", "stats.css")
NAVIGATION = {
    "/": "Overview",
    "/requests": "Requests",
    "/systems": "Systems",
    "/addresses": "Addresses",
    "/countries": "Countries",
    "/hosts": "Hosts",
    "/unknown": "Unknown",
}
"""The pages that each page links to."""
TIMES = "Times"
"""What a table of hosts has: how often each was named first."""
# By what requests with a value are shown first, if it is kept together.
_FIRST_BY = ("repo", "arch", "country", "client")


class View:
    """Makes pages; links go only where the statistics have an answer."""

    def __init__(self, statistics: "Statistics") -> None:
        """Take the statistics, which know what is kept together."""
        self._statistics = statistics

    def first(self, page: "FirstPage", asked: Asked) -> Reply:
        """Return the first page."""
        link = self._linker(asked, {})
        today = asked.now.date()
        return _page(
            "stats_first.html",
            asked,
            "/",
            now=page.overview,
            requests=plots.trend_plot(
                "Requests by release", page.requests, today, link,
                asked.data("/data/trend.csv", page.requests.by),
            ),
            repositories=plots.table(
                "Most requested", page.repositories, link, asked.data("/data/sums.csv", "repo")
            ),
            **self._map(page.countries, asked, link),
            systems=self._systems(page.systems, asked),
            addresses=self._addresses(page.addresses, asked),
            unknown=page.unknown,
            addresses_of=_yesterday(page, today),
        )  # fmt: skip

    def requests(self, page: "RequestsPage", asked: Asked) -> Reply:
        """Return requests by a label."""
        link = self._linker(asked, asked.where)
        name = plots.label_name(asked.by)
        bys = [
            (one, plots.label_name(one), self._url(asked, "/requests", one, asked.where))
            for one in plots.in_order(self._statistics.labels)
            if one not in asked.where and self._statistics.can(one, asked.where)
            and one != "host"
        ]  # fmt: skip
        without = [
            (
                plots.label_name(label),
                plots.value_name(label, value),
                self._url(
                    asked, "/requests", asked.by,
                    {key: one for key, one in asked.where.items() if key != label},
                ),
            )
            for label, value in asked.where.items()
        ]  # fmt: skip
        return _page(
            "stats_requests.html",
            asked,
            "/requests",
            bys=bys,
            without=without,
            name=name,
            plot_=plots.trend_plot(
                f"By {name}",
                page.trend,
                asked.now.date(),
                link,
                asked.data("/data/trend.csv", asked.by),
            ),
            table_=plots.table(name, page.sums, link, asked.data("/data/sums.csv", asked.by)),
        )

    def systems(self, found: "Trend", asked: Asked) -> Reply:
        """Return systems by age."""
        return _page("stats_systems.html", asked, "/systems", plot_=self._systems(found, asked))

    def addresses(self, page: "AddressesPage", asked: Asked) -> Reply:
        """Return distinct addresses by day."""
        return _page(
            "stats_addresses.html",
            asked,
            "/addresses",
            plot_=self._addresses(page.days, asked),
            releases=self._addresses(page.releases, asked),
            secrets=page.days.secrets,
        )

    def countries(self, found: "Sums", asked: Asked) -> Reply:
        """Return the map and the table of countries."""
        link = self._linker(asked, asked.where)
        return _page("stats_countries.html", asked, "/countries", **self._map(found, asked, link))

    def hosts(self, found: "Sums", asked: Asked) -> Reply:
        """Return how often each host was named first."""
        link = self._linker(asked, {})
        table = plots.table("Named first", found, link, asked.data("/data/sums.csv", "host"), TIMES)
        return _page("stats_hosts.html", asked, "/hosts", table_=table)

    def unknown(self, page: "UnknownPage", asked: Asked) -> Reply:
        """Return the unknown repositories that are asked for most."""
        where = {"repo": "(unknown)"}
        data = Asked(asked.by, asked.period, where, asked.now, asked.of_time)
        plot = plots.trend_plot(
            "Requests for unknown repositories, by client", page.trend, asked.now.date(),
            self._linker(asked, where), data.data("/data/trend.csv", "client"),
        )  # fmt: skip
        return _page(
            "stats_unknown.html",
            asked,
            "/unknown",
            plot_=plot,
            lines=page.lines,
            whole=page.whole,
            csv=asked.data("/data/unknown.csv"),
        )

    def repository(self, name: str, page: "RepositoryPage", asked: Asked) -> Reply:
        """Return the page of a repository."""
        link, where = self._linker(asked, asked.where), asked.where
        more = [
            (plots.label_name(by), self._url(asked, "/requests", by, where))
            for by in plots.in_order(self._statistics.labels)
            if by not in ("release", "repo", "host") and self._statistics.can(by, where)
        ]
        return _page(
            "stats_repository.html",
            asked,
            f"/repository/{escaped(name)}",
            name=name,
            page=page,
            more=more,
            plot_=plots.trend_plot(
                "Requests by arch", page.trend, asked.now.date(), link,
                asked.data("/data/trend.csv", "arch"),
            ),
            **self._map(page.countries, asked, link),
            tables=[
                plots.table(
                    plots.label_name(one.by), one, link, asked.data("/data/sums.csv", one.by)
                )
                for one in page.tables
            ],
            systems=self._systems(page.systems, asked),
            addresses=self._addresses(page.addresses, asked),
        )  # fmt: skip

    def host(self, name: str, page: "HostPage", asked: Asked) -> Reply:
        """Return the page of a host."""
        link = self._linker(asked, asked.where)
        return _page(
            "stats_host.html",
            asked,
            f"/host/{escaped(name)}",
            name=name,
            page=page,
            plot_=plots.trend_plot(
                "Named first, by tier", page.trend, asked.now.date(), link,
                asked.data("/data/trend.csv", "tier"),
            ),
            table_=plots.table(
                "Tiers", page.tiers, link, asked.data("/data/sums.csv", "tier"), TIMES
            ),
        )  # fmt: skip

    def _systems(self, found: "Trend", asked: Asked) -> plots.Plot:
        # Each label's value is an age, which has no page of its own.
        return plots.trend_plot(
            "Systems by age, a week", found, asked.now.date(), lambda label, value: None,
            asked.data("/data/systems.csv"),
        )  # fmt: skip

    def _addresses(self, found: "Days", asked: Asked) -> plots.Plot:
        by = f", by {plots.label_name(found.by)}" if found.by else ""
        return plots.days_plot(
            f"Distinct addresses a day{by}", found, asked.now.date(),
            asked.data("/data/addresses.csv", found.by or None),
        )  # fmt: skip

    def _map(self, found: "Sums", asked: Asked, link: plots.Link) -> dict[str, object]:
        counts = {one.values[0]: one.requests for one in found.lines}
        return {
            "map": drawn(counts),
            "link": link,
            "countries": plots.table(
                "Countries", found, link, asked.data("/data/sums.csv", "country")
            ),
        }

    def _linker(self, asked: Asked, where: Mapping[str, str]) -> plots.Link:
        """Return what finds the page of a value, among requests with other values."""

        def link(label: str, value: str) -> str | None:
            if label == "repo" and value == "(unknown)":
                return asked.link("/unknown")
            if label in ("repo", "host") and not where:
                # Such as (none) or (other).
                is_name = value and value[0] != "("
                path = "/repository/" if label == "repo" else "/host/"
                return asked.link(path + escaped(value)) if is_name else None
            if label == "host" or "host" in where:
                return None
            limits = {**where, label: value}
            return next(
                (
                    self._url(asked, "/requests", by, limits)
                    for by in _FIRST_BY
                    if by not in limits and self._statistics.can(by, limits)
                ),
                None,
            )

        return link

    def _url(self, asked: Asked, path: str, by: str, where: Mapping[str, str]) -> str:
        return url(path, {"by": by, **where, **asked.of_time})


def refusal(status: int, title: str, text: str, advice: str = "") -> Reply:
    """Return a page that says why there is no other one."""
    values = {"title": title, "text": text, "advice": advice}
    common = {"navigation": NAVIGATION, "asked": None, "path": ""}
    return made(_environment(), "stats_refusal.html", {**values, **common}, status, _STYLE)


def _page(template: str, asked: Asked, path: str, **values: object) -> Reply:
    hidden = dict(asked.where) if path in ("/systems", "/countries", "/requests") else {}
    if path == "/requests":
        hidden["by"] = asked.by
    common = {
        "asked": asked,
        "path": path,
        "navigation": NAVIGATION,
        "presets": DAYS,
        "hidden": hidden,
        "period_link": lambda days: url(path, {**hidden, "days": days}),
    }
    return made(_environment(), template, {**values, **common}, style=_STYLE)


@cache
def _environment() -> Environment:
    environment = make_environment()
    environment.filters.update(
        visible=visible,
        change=plots.change,
        share=_share,
        minute=_minute,
        compact=plots.compact,
    )
    return environment


def _yesterday(page: "FirstPage", today: date) -> tuple[int, str]:
    """Return yesterday's addresses, and how they have changed."""
    yesterday = str(date.fromordinal(today.toordinal() - 1))
    found = {one.day: one.addresses for one in page.overview.addresses.rows}
    now = found.pop(yesterday, 0)
    before = sum(found.values())
    if not now or not before:
        return now, ""
    return now, f"{plots.change(100 * (now - before) / before)} against the day before"


def _minute(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(second))


def _share(count: float, whole: float) -> str:
    return f"{100 * count / whole:.1f} %" if whole else "\u2013"
