"""Asks mirrors for small files: many at once, few of one mirror, again after growing pauses."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from snapshot.sites.getting import Getter, Limits, Question, Reply
from snapshot.sites.inside import Inside
from snapshot.sites.parts import Part
from snapshot.sites.rsyncing import RSYNC, get_by_rsync

# This many files in a row without any answer: the rest is not asked for in this probe.
_SILENT = 3
_PROCESSES = 8
Named = Callable[[Question, Reply], Part | None]
_TOO_LONG = "the other files took too long; the next probe asks again"


def ask_all(
    questions: Iterable[Question],
    most: int,
    agent: str,
    progress: Callable[[int, int], None],
    limits: Limits | None = None,
    inside: Inside | None = None,
    named: Named = lambda question, reply: None,
) -> dict[Question, Reply]:
    """Return the reply to each question, once for each family if its host has two of them.

    `progress` gets the number of replies, and of how many. `most` is how many bytes a file may
    have, `inside` where redirects may lead, and `named` which file is looked for after a reply.
    """
    about = (limits or Limits(), inside or Inside(), named)
    return asyncio.run(_Round(most, agent, progress, *about).ask(questions))


class _Round:
    """One round of questions."""

    def __init__(
        self,
        most: int,
        agent: str,
        progress: Callable[[int, int], None],
        limits: Limits,
        inside: Inside,
        named: Named,
    ) -> None:
        self._limits, self._progress, self._named = limits, progress, named
        self._getter = Getter(most, agent, limits, self._slot, inside)
        self._all = asyncio.Semaphore(limits.at_once)
        self._hosts: dict[str | None, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(limits.of_a_host)
        )
        self._processes = asyncio.Semaphore(_PROCESSES)
        self._found: dict[Question, Reply] = {}
        self._total = 0

    @asynccontextmanager
    async def _slot(self, host: str | None) -> AsyncIterator[None]:
        # The host first: what waits for one host must not keep others waiting.
        async with self._hosts[host], self._all:
            yield

    async def ask(self, questions: Iterable[Question]) -> dict[Question, Reply]:
        by_url: dict[str, list[Question]] = defaultdict(list)
        for question in dict.fromkeys(questions):
            by_url[question.url].append(question)
            self._total += 1
        async with self._getter, asyncio.TaskGroup() as group:
            for asked in by_url.values():
                group.create_task(self._ask_url(asked))
        return self._found

    async def _ask_url(self, asked: list[Question]) -> None:
        """Ask a URL over IPv4 and IPv6, if its host has both and this machine too."""
        if asked[0].url.startswith(RSYNC):
            await self._ask_rsync(asked)
            return
        families = await self._getter.names.families(asked[0].host)
        self._total += len(asked) * (len(families) - 1)
        async with asyncio.TaskGroup() as group:
            for family in families:
                questions = [one._replace(family=family) for one in asked]
                # Where the time is too short for all, each has its turn some day.
                random.shuffle(questions)
                group.create_task(self._ask_in_turn(questions))

    async def _ask_rsync(self, asked: list[Question]) -> None:
        url = asked[0].url
        for tried in range(1, self._limits.tries + 1):
            # As few as HTTP has of one host, and fewer of all: each is a process.
            async with self._processes, self._slot(asked[0].host):
                found = await get_by_rsync(url, asked, self._limits, self._getter.reader)
            first = found[asked[0]]
            if first.error is None or first.is_final or tried == self._limits.tries:
                break
            await self._pause(tried)
        for question, reply in found.items():
            self._keep(question, reply._replace(tries=self._limits.tries if reply.error else 1))

    async def _ask_in_turn(self, questions: list[Question]) -> None:
        # One first: mirrors that hang would take all places otherwise.
        first = await self._patiently(questions[0])
        self._keep(questions[0], first)
        rest = questions[1:]
        if first.error is not None:
            for question in rest:
                self._keep(question, first)
            return
        turns = _Turns(rest)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._limits.of_a_host, len(rest))):
                group.create_task(self._work(turns))

    async def _work(self, turns: "_Turns") -> None:
        while turns.questions:
            question = turns.questions.pop()
            if self._is_late(question):
                reply = Reply(error=_TOO_LONG)
            elif len(turns.silent) >= _SILENT:
                reply = Reply(error=turns.silent[-1])
            else:
                reply = await self._patiently(question)
                turns.note(reply)
            self._keep(question, reply)

    async def _patiently(self, question: Question) -> Reply:
        """Ask again after a failure: a packet may have been lost, or a server restarted."""
        limits = self._limits
        for tried in range(1, limits.tries + 1):
            reply = await self._getter.get(question)
            if reply.error is None:
                return await self._whole(question, reply)
            if reply.is_final or tried == limits.tries or self._is_late(question):
                break
            await self._pause(tried)
        return reply._replace(tries=limits.tries)

    async def _whole(self, question: Question, reply: Reply) -> Reply:
        """Look for the file that the answer names, if it is to be looked for."""
        part = self._named(question, reply)
        if part is None or self._is_late(question):
            return reply
        return reply._replace(lacks=await self._getter.lacks(question, part))

    async def _pause(self, tried: int) -> None:
        # Not all ask again at one moment.
        await asyncio.sleep(self._limits.pause * 2 ** (tried - 1) * random.uniform(0.5, 1.5))

    def _is_late(self, question: Question) -> bool:
        most = self._limits.url_seconds * self._limits.of_a_host
        return self._getter.spent[question.url] > most

    def _keep(self, question: Question, reply: Reply) -> None:
        self._found[question] = reply
        self._progress(len(self._found), self._total)


class _Turns:
    """The files of a URL that are still to be asked for, and how the last ones failed."""

    def __init__(self, questions: list[Question]) -> None:
        self.questions = questions
        self.silent: list[str] = []

    def note(self, reply: Reply) -> None:
        if reply.error is None:
            self.silent.clear()
        else:
            self.silent.append(reply.error)
