"""What waits for the end of a turn of the event loop."""

import asyncio

import pytest

from mirrorlist.web.turn import Turn


class Waiting:
    """A connection that notes its answer, or fails at it."""

    def __init__(self, name: str, log: list[str], fails: bool = False) -> None:
        """Take its name and the log of all."""
        self.name, self.log, self.fails = name, log, fails

    def answer(self) -> None:
        """Answer, or fail."""
        if self.fails:
            raise RuntimeError(self.name)
        self.log.append(self.name)

    def cut_off(self) -> None:
        """End."""
        self.log.append(f"{self.name} is cut off")


def test_all_are_answered_in_their_order() -> None:
    """Nothing is answered before the end of the turn; then all are, each of them once."""

    async def run() -> list[str]:
        log: list[str] = []
        turn = Turn(asyncio.get_running_loop())
        for name in "abc":
            turn.stage(Waiting(name, log))
        assert log == []
        await asyncio.sleep(0)
        turn.stage(Waiting("d", log))
        await asyncio.sleep(0)
        turn.end()
        return log

    assert asyncio.run(run()) == ["a", "b", "c", "d"]


def test_before_the_end_of_the_turn() -> None:
    """A turn can be ended early, and its end then finds nothing."""

    async def run() -> list[str]:
        log: list[str] = []
        turn = Turn(asyncio.get_running_loop())
        turn.stage(Waiting("a", log))
        turn.end()
        assert log == ["a"]
        await asyncio.sleep(0)
        return log

    assert asyncio.run(run()) == ["a"]


def test_an_error_is_that_of_one_connection(capsys: pytest.CaptureFixture[str]) -> None:
    """The connection whose answer fails is cut off, and told of; all others are answered."""

    async def run() -> list[str]:
        log: list[str] = []
        turn = Turn(asyncio.get_running_loop())
        for name in "abc":
            turn.stage(Waiting(name, log, fails=name == "b"))
        await asyncio.sleep(0)
        return log

    assert asyncio.run(run()) == ["a", "b is cut off", "c"]
    assert "RuntimeError: b" in capsys.readouterr().err
