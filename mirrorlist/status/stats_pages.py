"""The listener of the statistics: which page answers which URL, and what answers instead.

Each page is read from the database in a thread, so a database that hangs holds up no other page.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mirrorlist.status import stats_csv as as_csv
from mirrorlist.status.admin import Reply, json_reply, response
from mirrorlist.status.stats_asked import Asked, Takes, check_text, read
from mirrorlist.status.stats_view import View, refusal
from snapshot.file.errors import DatabaseError, QuestionError

if TYPE_CHECKING:
    from snapshot.stats.shown import Statistics

_RETRY_SECONDS = 10
MOST_PAGES = 24
"""While so many pages wait for the database, others are refused at once: there are 40 threads."""
_log = logging.getLogger(__name__)

Page = Callable[[Asked], Reply]
DAYS, LIMITS, LABEL = Takes.DAYS, Takes.LIMITS, Takes.LABEL


def _utc_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


class StatisticsPages:
    """The pages by their paths; each is called in a thread of its own."""

    def __init__(self, statistics: "Statistics", clock: Callable[[], datetime] = _utc_now) -> None:
        """Take the statistics, and the clock, in UTC."""
        self._statistics, self._view = statistics, View(statistics)
        self._clock = clock
        # Pages that are being made; counted by the loop alone.
        self._waiting = 0

    def app(self) -> Starlette:
        """Return the app with all pages."""
        found, view = self._statistics, self._view
        pages: list[tuple[str, str, Takes, Page]] = [
            ("/", "", DAYS, lambda one: view.first(found.first_page(one.period, one.now), one)),
            (
                "/requests", "release", LABEL,
                lambda one: view.requests(found.requests(one.by, one.period, one.where), one),
            ),
            (
                "/systems", "countme", LIMITS,
                lambda one: view.systems(found.systems(one.period, one.where), one),
            ),
            ("/addresses", "", DAYS, lambda one: view.addresses(found.addresses(one.period), one)),
            (
                "/countries", "country", LIMITS,
                lambda one: view.countries(found.sums("country", one.period, one.where), one),
            ),
            ("/hosts", "host", DAYS, lambda one: view.hosts(found.hosts(one.period), one)),
            ("/unknown", "", DAYS, lambda one: view.unknown(found.unknown(one.period), one)),
            (
                "/data/trend.csv", "release", LABEL,
                lambda one: as_csv.trend(found.trend(one.by, one.period, one.where)),
            ),
            (
                "/data/sums.csv", "release", LABEL,
                lambda one: as_csv.sums(found.sums(one.by, one.period, one.where)),
            ),
            (
                "/data/systems.csv", "countme", LIMITS,
                lambda one: as_csv.trend(found.systems(one.period, one.where)),
            ),
            (
                "/data/addresses.csv", "", LABEL,
                lambda one: as_csv.days(found.days(one.by, one.period, one.where)),
            ),
            (
                "/data/unknown.csv", "", DAYS,
                lambda one: as_csv.unknown(found.unknown(one.period).lines),
            ),
        ]  # fmt: skip
        routes = [Route(path, self._endpoint(page, by, takes)) for path, by, takes, page in pages]
        routes += [
            Route(
                "/repository/{repo:path}", self._endpoint(self._repository, "arch", DAYS, "repo")
            ),
            Route("/host/{host:path}", self._endpoint(self._host, "tier", DAYS, "host")),
            Route("/health/live", _live),
            Route("/health/ready", _plain(self._ready)),
        ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: _refuse})
        app.router.redirect_slashes = False
        return app

    def _repository(self, asked: Asked) -> Reply:
        name = asked.where["repo"]
        page = self._statistics.repository(name, asked.period)
        if page:
            return self._view.repository(name, page, asked)
        advice = "Nobody has asked for it, or its name is spelled otherwise."
        if self._statistics.is_asked_for(name):
            advice = "Clients ask for it, but no snapshot had it: see the page Unknown."
        return refusal(404, "No such repository", f"{name} has not been counted.", advice)

    def _host(self, asked: Asked) -> Reply:
        name = asked.where["host"]
        page = self._statistics.host(name, asked.period)
        if page:
            return self._view.host(name, page, asked)
        advice = "Hosts are counted when they are named first in a list: see the page Hosts."
        return refusal(404, "No such host", f"{name} has never been named first.", advice)

    def _ready(self) -> Reply:
        try:
            self._statistics.ready()
        except DatabaseError as error:
            return json_reply({"ready": False, "reason": str(error)}, 503)
        return json_reply({"ready": True})

    def _endpoint(
        self, page: Page, by: str, takes: Takes, name: str | None = None
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return what answers with a page; `name` is the label whose value is in the path."""

        def answer(request: Request) -> Reply:
            try:
                fixed = {name: request.path_params[name]} if name else {}
                for label, value in fixed.items():
                    check_text(label, value)
                given = request.query_params.multi_items()
                return page(read(self._statistics, given, by, takes, fixed, self._clock()))
            except (QuestionError, DatabaseError) as error:
                return _refusal(request, error)

        threaded = _threaded(answer)

        async def endpoint(request: Request) -> Response:
            if self._waiting >= MOST_PAGES:
                busy = DatabaseError(f"the database is busy with {MOST_PAGES} other pages")
                return response(_refusal(request, busy))
            self._waiting += 1
            try:
                return await threaded(request)
            finally:
                self._waiting -= 1

        return endpoint


async def _live(request: Request) -> Response:
    """Answer in the loop, which waits for no page."""
    return response(Reply(200, b"OK\n"))


def _threaded(answer: Callable[[Request], Reply]) -> Callable[[Request], Awaitable[Response]]:
    def safely(request: Request) -> Reply:
        try:
            return answer(request)
        except Exception:
            _log.exception("%s %s", request.method, request.scope["path"])
            return refusal(500, "Internal error", "This page has an error, which is in the log.")

    async def endpoint(request: Request) -> Response:
        return response(await run_in_threadpool(safely, request))

    return endpoint


def _plain(answer: Callable[[], Reply]) -> Callable[[Request], Awaitable[Response]]:
    return _threaded(lambda request: answer())


def _refusal(request: Request, error: QuestionError | DatabaseError) -> Reply:
    """Return what answers instead of a page, for people or as a line."""
    if isinstance(error, QuestionError):
        status, title, advice = 400, "This cannot be asked", "Go back, or begin at the overview."
    else:
        status, title = 503, "No statistics at the moment"
        advice = (
            "Servers go on counting meanwhile, and lose nothing. This page works again as soon as"
            " the database does."
        )
    headers: Mapping[str, str] = {"retry-after": str(_RETRY_SECONDS)} if status == 503 else {}
    if request.scope["path"].endswith(".csv"):
        text = f"{str(error).removesuffix('.')}.\n".encode(errors="replace")
        return Reply(status, text, headers=tuple(headers.items()))
    page = refusal(status, title, f"{_sentence(str(error)).removesuffix('.')}.", advice)
    return page._replace(headers=(*page.headers, *headers.items()))


def _sentence(text: str) -> str:
    """Return a text that begins as a sentence, unless it begins with a name."""
    return text[:1].upper() + text[1:] if text.partition(" ")[0].isalpha() else text


async def _refuse(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == 405:
        page = Reply(405, b"Only GET, HEAD is answered here.\n", headers=(("allow", "GET, HEAD"),))
        return response(page)
    return response(refusal(404, "No such page", "There is nothing here."))
