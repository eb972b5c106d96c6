"""Keeps a database equal to a site's file, and probes the site's mirrors at intervals.

Each has a thread of its own, because a probe takes a minute and a change of the file should not
wait for it. An export is the job of the watch that runs beside them.
"""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from msgspec import UNSET, Struct
from sqlalchemy import func, select

from snapshot.export.database import parse_url
from snapshot.export.declared import url_state
from snapshot.export.rows import Progress
from snapshot.file.defaults import DEFAULT_MAX_LOSS
from snapshot.file.errors import BackendError, DatabaseError
from snapshot.sites.apply import apply
from snapshot.sites.config import Config
from snapshot.sites.difference import SiteDifference
from snapshot.sites.file_changes import SiteFiles
from snapshot.sites.keeper_state import KeeperState
from snapshot.sites.load import load
from snapshot.sites.probe import ProbedAll, probe
from snapshot.sites.reading import read_only
from snapshot.sites.told import answers_of_mirrors, applied, published, trouble_of_primary

LOOK_SECONDS = 1.0
# A primary that does not answer, or is half published, is asked again this soon, then after twice
# as long, up to the interval; the mirrors are not.
FIRST_RETRY_SECONDS = 15.0
_LOCKED_SECONDS = 5.0
NO_PRIMARY = (
    "warning: the file has no [primary]: there are no metalinks, and no mirror is probed; give its"
    " url or path"
)
"""What is said of a site that cannot be probed."""
# Not all sites that were started together ask at one moment.
_JITTER = 0.05

Say = Callable[[str], object]
Clock = Callable[[], float]


class Duty(Struct, frozen=True):
    """What is kept: the file, the database, the seconds between two probes, the User-Agent without
    the site's contact, and how many percent may go at once.
    """

    file: Path
    database: str
    interval: float
    agent: str
    max_loss: int = DEFAULT_MAX_LOSS


class Once:
    """Says lines about a thing, unless the last ones about it were the same."""

    def __init__(self, say: Say) -> None:
        """Take what says a line."""
        self.say = say
        self._last: dict[str, str] = {}

    def __call__(self, about: str, lines: list[str]) -> None:
        """Say the lines; without lines, the thing is as it should be."""
        text = "\n".join(lines)
        if self._last.get(about, "") != text:
            self._last[about] = text
            for line in lines:
                self.say(line)

    def is_open(self, about: str) -> bool:
        """Return whether something was said of a thing that is not as it should be."""
        return bool(self._last.get(about))


class Prober:
    """Probes when it is time; `step` is for a thread of its own."""

    def __init__(
        self, duty: Duty, say: Say, state: KeeperState, clock: Clock = time.monotonic
    ) -> None:
        """Take the duty and the state to write; `say` receives a line for all that is new."""
        self._duty, self._once, self._clock = duty, Once(say), clock
        self._state = state
        self._config: Config | None = None
        self._is_woken = False
        self._due = self._retry_at = float("inf")
        self._retries = 0

    def use(self, config: Config, *, at_once: bool) -> None:
        """Probe by this file from now on; may be called by another thread."""
        self._once("no primary", why_unprobed(config))
        if self._config is None and not at_once:
            self._due = self._clock() + seconds_left(self._duty)
        self._config = config
        if at_once:
            self.wake()

    def wake(self) -> None:
        """Probe within a second. May be called by a signal handler, so it takes no lock."""
        self._is_woken = True

    def step(self) -> None:
        """Probe if it is time, and wait for a second."""
        if self._is_woken:
            self._is_woken, self._due = False, self._clock()
        config, now = self._config, self._clock()
        is_probed = config is not None and not why_unprobed(config)
        if config is not None and is_probed and now >= min(self._due, self._retry_at):
            self._probe(config, mirrors=now >= self._due)
        time.sleep(LOOK_SECONDS)

    def _probe(self, config: Config, *, mirrors: bool) -> None:
        # Set first, so that an internal error does not make it ask again at once.
        if mirrors:
            spread = random.uniform(1 - _JITTER, 1 + _JITTER)
            self._due = self._clock() + self._duty.interval * spread
            self._state.probes_due += 1
            if self._state.due_since is None:
                self._state.due_since = time.time()
        self._retry_at, begun = float("inf"), self._clock()
        try:
            found = probe_all(self._duty, config, mirrors=mirrors)
        except BackendError as error:
            self._state.probe_error = str(error)
            self._once("probe", [f"error: {error}; the next probe tries again"])
            return
        self._once("probe", [])
        self._state.probe_error = None
        self._tell(found)
        if mirrors:
            self._state.probed, self._state.probe_seconds = time.time(), self._clock() - begun
            self._state.probes_ended, self._state.due_since = self._state.probes_due, None
        if not mirrors and any(one.state == "new" for one in found.repositories):
            self._due = self._clock()

    def _tell(self, found: ProbedAll) -> None:
        trouble, state = trouble_of_primary(found), self._state
        state.primary_error = trouble[0] if trouble else None
        state.repositories = len(found.repositories)
        state.repositories_failed = sum(one.state == "failed" for one in found.repositories)
        if not trouble and self._once.is_open("primary"):
            self._once.say("the primary: all repositories can be read again")
        self._once("primary", trouble)
        self._plan_retry(bool(trouble))
        for line in published(found):
            self._once.say(line)
        if found.mirrors:
            state.urls = len(found.mirrors)
            state.urls_troubled = sum(one.error is not None for one in found.mirrors)
            state.urls_hidden = sum(not one.offered for one in found.mirrors)
            self._once("mirrors", [answers_of_mirrors(found.mirrors)])

    def _plan_retry(self, is_needed: bool) -> None:
        if is_needed:
            pause = min(FIRST_RETRY_SECONDS * 2.0**self._retries, self._duty.interval)
            self._retry_at, self._retries = self._clock() + pause, self._retries + 1
        else:
            self._retries = 0


class Applier:
    """Applies a changed file, and gives it to a prober; `step` is for a thread of its own."""

    def __init__(
        self,
        duty: Duty,
        prober: Prober,
        say: Say,
        state: KeeperState,
        clock: Clock = time.monotonic,
    ) -> None:
        """Take the duty and the state to write; `say` receives a line for all that is new."""
        self._duty, self._prober, self._once, self._clock = duty, prober, Once(say), clock
        self._state = state
        self._files = SiteFiles(duty.file)
        self._again_at = float("inf")

    def step(self) -> None:
        """Apply the file if it has changed, and wait for a second."""
        if self._files.changed() or self._clock() >= self._again_at:
            self._apply()
        time.sleep(LOOK_SECONDS)

    def _apply(self) -> None:
        self._again_at = float("inf")
        try:
            config = load(self._duty.file).config
            found = apply_all(self._duty, config)
        except BackendError as error:
            self._state.file_error = str(error)
            if isinstance(error, DatabaseError):
                self._again_at = self._clock() + _LOCKED_SECONDS
            self._once("file", [f"error: {error}; what was applied before stays", *error.more])
            return
        self._once("file", [])
        self._state.file_error, self._state.applied = None, time.time()
        if found.changes_anything:
            self._once.say(f"{self._duty.file.name}: applied: {applied(found)}")
        self._prober.use(config, at_once=found.changes_anything)


def apply_all(duty: Duty, config: Config) -> SiteDifference:
    """Bring the database to what the file says; what is gone from the file is removed."""
    return apply(duty.database, config, _untold, prune=True, max_loss=duty.max_loss)


def _untold(found: SiteDifference) -> None:
    """Say nothing before it is written."""


def probe_all(
    duty: Duty,
    config: Config,
    progress: Progress = lambda phase, done, total: None,
    *,
    mirrors: bool = True,
) -> ProbedAll:
    """Read the primary, and ask the mirrors."""
    contact = f" (+{config.site.contact})" if config.site.contact else ""
    folder, now = duty.file.absolute().parent, int(time.time())
    agent = f"{duty.agent}{contact}"
    return probe(duty.database, config, folder, agent, progress, now, mirrors=mirrors)


def why_unprobed(config: Config) -> list[str]:
    """Return a line that says why a site is not probed; empty if it is."""
    return [] if config.primary is not UNSET else [NO_PRIMARY]


def seconds_left(duty: Duty) -> float:
    """Return for how long the last probe of the database is young enough; 0 if there was none.

    So a process that starts again and again does not ask the mirrors each time.
    """
    last = None
    with suppress(BackendError), read_only(parse_url(duty.database)) as connection:
        last = connection.scalar(select(func.max(url_state.c.checked)))
    age = duty.interval if last is None else time.time() - last
    return duty.interval - age if 0 <= age <= duty.interval else 0.0
