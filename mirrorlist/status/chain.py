"""The whole chain as one server sees it: its own stages, and those of the processes it asks.

Each address is asked by a thread of its own, so one that hangs delays no other, and no page waits.
The texts of stages are loaded when a page first needs them: workers share this module.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import msgspec
from msgspec import Struct, structs

from mirrorlist.errors import OptionError
from mirrorlist.process.threads import Threads
from mirrorlist.process.wording import duration
from mirrorlist.settings.defaults import ADMIN_OF_COLLECT, ADMIN_OF_SCAN, ADMIN_OF_WATCH, NOWHERE
from mirrorlist.status.asking import NotAnswered, NotOurs, asked
from mirrorlist.status.stage import NAMES, PATH, Stage, cut, docs_of
from mirrorlist.web.listener import host_and_port

ASK_EVERY_SECONDS = 10.0
"""The greatest age of what a page says of another process, while that answers."""
MOST_TARGETS = 64
_EXPORT = "export"
# Where a stage may be without being named.
_DEFAULTS = {"scan": ADMIN_OF_SCAN, "collect": ADMIN_OF_COLLECT}
# `export` and `probe` come from --watch-admin, `spool` from where `swap` does.
NAMED = ("scan", "swap", "collect")
"""The stages that `--chain` names."""

_STAGES = msgspec.json.Decoder(list[Stage])


class State(StrEnum):
    """How a stage is."""

    OK = "ok"
    BEHIND = "behind"
    DOWN = "down"
    UNKNOWN = "unknown"
    UNUSED = "not used"


class Row(Struct, frozen=True):
    """A stage of the chain; counts are null where nothing is known of it."""

    stage: str
    """Its name: scan, probe, export, push, swap, spool or collect."""
    state: State
    """`ok`; `behind` if it fails or something waits for too long; `down` if its process does not
    answer; `unknown`; or `not used`.
    """
    address: str | None = None
    """The `--admin` address of its process; null for this server."""
    received: int | None = None
    """What came to it since the start of its process."""
    processed: int | None = None
    """What of that it has done."""
    backlog: int | None = None
    """What waits now."""
    oldest_seconds: float | None = None
    """The age of the oldest thing that waits."""
    limit_seconds: float | None = None
    """The age beyond which it is behind."""
    reason: str | None = None
    """Why it is not ok."""
    note: str | None = None
    """What else is to be known of it."""
    page: str | None = None
    """The page of its process."""
    docs: str = ""
    """Where the docs say what mends it."""


class Chain(Struct, frozen=True):
    """All stages of the chain, in its order, as this server sees them."""

    at: float
    """The time of this answer, in seconds since 1970."""
    ok: bool
    """Whether no stage is behind or down."""
    stages: list[Row]


class Target(Struct, frozen=True):
    """An address that is asked, and the stage that should be there."""

    stage: str
    host: str
    port: int
    is_named: bool
    """Whether an operator has named it: then it is down if it does not answer."""

    @property
    def address(self) -> str:
        """Host and port as in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def targets_of(chain: Sequence[str], watch_admin: str) -> list[Target]:
    """Return whom to ask, by `--chain` and `--watch-admin`; raises OptionError."""
    given: dict[str, list[str]] = {}
    for text in chain:
        stage, mark, address = text.partition("=")
        if not mark or stage not in NAMED:
            raise OptionError(f"--chain {text}: {_hint(stage)}")
        given.setdefault(stage, []).append(address)
    found = [] if watch_admin == NOWHERE else [_watch(watch_admin)]
    for stage in NAMED:
        addresses = given.get(stage, [_DEFAULTS[stage]] if stage in _DEFAULTS else [])
        if NOWHERE in addresses and len(addresses) > 1:
            raise OptionError(f"--chain {stage}: either none or addresses")
        found += [
            Target(stage, *host_and_port(one, f"--chain {stage}"), stage in given)
            for one in addresses
            if one != NOWHERE
        ]
    if len(found) > MOST_TARGETS:
        raise OptionError(f"--chain: at most {MOST_TARGETS} addresses are asked")
    return found


def _watch(address: str) -> Target:
    is_named = address != ADMIN_OF_WATCH
    return Target(_EXPORT, *host_and_port(address, "--watch-admin"), is_named)


def _hint(stage: str) -> str:
    if stage in ("export", "probe", "push"):
        return "the watch, and what it tells of, is named by --watch-admin"
    if stage == "spool":
        return "another server's spool is shown with its swap: --chain swap=HOST:PORT"
    return f"not one of {', '.join(NAMED)} and an address, such as collect=127.0.0.1:3006"


class Asked:
    """What is known of a target; written by its thread, read by pages."""

    def __init__(self, target: Target, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the target; nothing is known before it is asked."""
        self.target, self._clock = target, clock
        # What answered last and when; or why nothing did, and since when.
        self._stages: tuple[float, list[Stage]] | None = None
        self._trouble: tuple[float, str] | None = None

    def ask(self) -> None:
        """Ask once, which takes seconds at most."""
        try:
            body = asked(self.target.host, self.target.port, PATH)
            # A process tells of a stage once; a newer version may have stages that nobody knows.
            told = {one.stage: one for one in _STAGES.decode(body) if one.stage in NAMES}
            self._stages, self._trouble = (self._clock(), [*told.values()]), None
        except NotAnswered as error:
            self._note(f"not answering at {self.target.address}: {error}")
        except (NotOurs, ValueError, RecursionError):
            self._note(
                f"what answers at {self.target.address} does not tell its stages: it is an older"
                " mirrorlist, or another program"
            )

    def _note(self, trouble: str) -> None:
        since = self._trouble[0] if self._trouble else self._clock()
        self._trouble = since, trouble

    def ask_and_rest(self) -> None:
        """Ask, and wait until it is time to ask again."""
        self.ask()
        time.sleep(ASK_EVERY_SECONDS)

    def rows(self) -> list[Row]:
        """Return what is known of its stages now."""
        stages, trouble, now = self._stages, self._trouble, self._clock()
        if trouble is None and stages is not None and now - stages[0] > 3 * ASK_EVERY_SECONDS:
            # The name of its host cannot be looked up, which has no limit of its own.
            trouble = stages[0], f"not answering at {self.target.address}: no answer yet"
        if trouble is not None:
            return self._troubled(*trouble, now)
        if stages is None:
            return [self._row(State.UNKNOWN, "it has not answered yet")]
        rows = [row_of(one, self.target.address) for one in stages[1]]
        if all(one.stage != self.target.stage for one in rows):
            told = ", ".join(one.stage for one in rows) or "no stage"
            reason = f"{self.target.address} tells of {told}: is it the address of another process?"
            rows.append(self._row(State.UNKNOWN, reason))
        return rows

    def _troubled(self, since: float, trouble: str, now: float) -> list[Row]:
        if self._stages is None:
            # Nobody has said that it should be there.
            return [self._row(State.DOWN, trouble)] if self.target.is_named else []
        reason = f"{trouble}, for {duration(max(0.0, now - since))}"
        ago = f"counts of {duration(max(0.0, now - self._stages[0]))} ago"
        # All that has answered there before is down with it.
        before = [row_of(one, self.target.address) for one in self._stages[1]]
        return [
            structs.replace(one, state=State.DOWN, reason=reason, note=ago) for one in before
        ] or [self._row(State.DOWN, reason)]

    def _row(self, state: State, reason: str) -> Row:
        name, address = self.target.stage, self.target.address
        return Row(
            stage=name,
            state=state,
            address=address,
            reason=reason,
            page=_page(name, address),
            docs=docs_of(name),
        )


class ChainAsker:
    """Asks all targets at intervals, each in a thread of its own."""

    def __init__(self, targets: Sequence[Target]) -> None:
        """Take whom to ask."""
        self.asked = [Asked(one) for one in targets]

    def start(self, threads: Threads) -> None:
        """Begin to ask."""
        for one in self.asked:
            threads.go_on("chain", one.ask_and_rest)

    def chain(self, own: Sequence[Stage], now: float) -> Chain:
        """Return all stages in their order, with those of this server."""
        rows = [row_of(one, None) for one in own]
        for one in self.asked:
            rows += one.rows()
        by_stage: Mapping[str, list[Row]] = {
            name: [row for row in rows if row.stage == name] for name in NAMES
        }
        shown = [row for name, found in by_stage.items() for row in found or [_unused(name)]]
        is_ok = all(one.state not in (State.BEHIND, State.DOWN) for one in shown)
        return Chain(now, is_ok, shown)


def row_of(stage: Stage, address: str | None) -> Row:
    """Return the row of a stage that was told."""
    reason = cut(stage.error)
    if reason is None and stage.is_late:
        reason = _why_late(stage)
    return Row(
        stage=stage.stage,
        state=State.OK if reason is None else State.BEHIND,
        address=address,
        received=stage.received,
        processed=stage.processed,
        backlog=stage.backlog,
        oldest_seconds=stage.oldest_seconds,
        limit_seconds=stage.limit_seconds,
        reason=reason if reason != "" else "it cannot go on, and does not say why",
        note=cut(stage.note),
        page=_page(stage.stage, address),
        docs=docs_of(stage.stage),
    )


def _page(stage: str, address: str | None) -> str:
    path = "/site" if stage == "probe" else "/status"
    return f"http://{address}{path}" if address else path


def _why_late(stage: Stage) -> str:
    from mirrorlist.status.stage_texts import STAGES

    return (
        f"{STAGES[stage.stage].backlog} that wait: {stage.backlog:,}, the oldest for"
        f" {duration(stage.oldest_seconds)}, more than {duration(stage.limit_seconds)}"
    )


def _unused(name: str) -> Row:
    from mirrorlist.status.stage_texts import STAGES

    return Row(stage=name, state=State.UNUSED, note=STAGES[name].unused, docs=docs_of(name))
