"""Status pages for people: one file of HTML with its style and charts, nothing from elsewhere.

Whatever is shown is escaped by the template engine; no script runs, and the browser is told so.
"""

import re
import time
from functools import cache
from html import escape
from typing import TYPE_CHECKING

from jinja2 import Environment

from mirrorlist.records.counts import TIERS
from mirrorlist.status import charts, stage_texts
from mirrorlist.status.admin import Reply
from mirrorlist.status.chain import Chain, State
from mirrorlist.status.collect_state import CollectState
from mirrorlist.status.html import CompiledTemplates, made, make_environment
from mirrorlist.status.last_hours import LastHours, Past, Sample
from mirrorlist.status.scan_state import ScanState
from mirrorlist.status.server_state import Status
from mirrorlist.status.stage import docs_of
from mirrorlist.status.watch_state import WatchState

if TYPE_CHECKING:
    from snapshot.sites.host_states import HostState
    from snapshot.sites.keeper_state import KeeperState

REFRESH_SECONDS = 15
_CLASSES = {
    State.OK: "good",
    State.BEHIND: "bad",
    State.DOWN: "bad",
    State.UNKNOWN: "unsure",
    State.UNUSED: "unused",
}
MOST_COUNTRIES = 10
_LINK = re.compile(r"\[([^]]+)\]\(([^)]+)\)")
_CODE, _EMPHASIS = re.compile(r"`([^`]+)`"), re.compile(r"\*([^*]+)\*")


def keep_compiled(compiled: dict[str, bytes]) -> None:
    """Take templates that were compiled before from here, and put new ones there."""
    _environment().bytecode_cache = CompiledTemplates(compiled)


def server_page(status: Status, hours: LastHours) -> Reply:
    """Return the page of a server."""
    past = hours.past()
    tiers = tuple(status.requests.tiers[tier] for tier in TIERS)
    rates = hours.rate(Sample(status.at, tiers))
    minutes, countries = hours.countries(status.at, dict(status.requests.countries))
    return _page(
        "server.html",
        status=status,
        past=past,
        lists=charts.bars([bar.tiers for bar in past.bars], past.room),
        tiers=list(zip(TIERS, rates, tiers, strict=True)),
        rate=sum(rates),
        minutes=max(1, minutes),
        countries=list(countries.items())[:MOST_COUNTRIES],
        others=sum(list(countries.values())[MOST_COUNTRIES:]),
        changes=_changes(past),
        at=status.at,
    )


def watch_page(watch: WatchState, hours: LastHours, now: float, has_site: bool = False) -> Reply:
    """Return the page of a watch; that of a keeper leads to the page of its site."""
    past, changes = hours.past(), _changes(hours.past())
    return _page("watch.html", watch=watch, past=past, changes=changes, at=now, has_site=has_site)


def site_page(
    site: "KeeperState", mirrors: list["HostState"], trouble: str | None, now: float
) -> Reply:
    """Return the page of a site: its file, its primary, its mirrors."""
    errors = (site.file_error, site.primary_error, site.probe_error, trouble)
    states = [*zip(("file", "primary", "probe", "database"), errors, strict=True)]
    return _page("site.html", site=site, mirrors=mirrors, states=states, at=now)


def scan_page(scan: ScanState, now: float) -> Reply:
    """Return the page of a `scan --watch`."""
    return _page("scan.html", scan=scan, at=now)


def collect_page(collect: CollectState, now: float) -> Reply:
    """Return the page of a `stats collect --watch`."""
    return _page("collect.html", collect=collect, at=now)


def chain_page(chain: Chain) -> Reply:
    """Return the page of the whole chain, with what mends each stage."""
    about, classes = stage_texts.STAGES, _CLASSES
    return _page(
        "chain.html", chain=chain, classes=classes, about=about, docs_of=docs_of, at=chain.at
    )


def _changes(past: Past) -> dict[str, charts.Chart]:
    # What came and what went are to be compared.
    most = max((max(bar.seen, bar.processed) for bar in past.bars), default=0)
    return {
        "Seen": charts.bars([[bar.seen] for bar in past.bars], past.room, most),
        "Processed": charts.bars([[bar.processed] for bar in past.bars], past.room, most),
        "Backlog": charts.bars([[bar.backlog] for bar in past.bars], past.room),
    }


def _page(template: str, **values: object) -> Reply:
    return made(_environment(), template, {**values, "refresh": REFRESH_SECONDS})


@cache
def _environment() -> Environment:
    environment = make_environment()
    environment.filters.update(moment=moment, marked=marked)
    return environment


def marked(text: str) -> str:
    """Return a text of stages.toml as HTML, with its code, emphasis and links of Markdown.

    A link becomes the name of a page, because the docs are not served.
    """
    html = _LINK.sub(r"\1 (<code>docs/\2</code>)", escape(text))
    return _EMPHASIS.sub(r"<em>\1</em>", _CODE.sub(r"<code>\1</code>", html))


def moment(at: float) -> str:
    """Return a time, in seconds since 1970, with its day, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
