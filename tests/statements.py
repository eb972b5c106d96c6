"""The SQL statements that are sent meanwhile."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from sqlalchemy import Engine, event

from snapshot.export.session import STATEMENT


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect every SQL statement that any session or any engine of SQLAlchemy sends."""
    sent: list[str] = []
    with calling(sent.append):
        yield sent


@contextmanager
def calling(listener: Callable[[str], object]) -> Iterator[None]:
    """Call a function with each statement before it is sent."""

    def tell(*arguments: Any) -> None:
        listener(arguments[2])

    _Hooked.add()
    _Hooked.listeners.append(listener)
    event.listen(Engine, "before_cursor_execute", tell)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", tell)
        _Hooked.listeners.remove(listener)


class _Hooked:
    """An audit hook cannot be removed, so there is one for all tests."""

    listeners: ClassVar[list[Callable[[str], object]]] = []
    _is_added = False

    @classmethod
    def add(cls) -> None:
        """Add the hook once."""
        if not cls._is_added:
            cls._is_added = True
            sys.addaudithook(cls._hear)

    @classmethod
    def _hear(cls, event: str, arguments: tuple[Any, ...]) -> None:
        if event == STATEMENT:
            for listener in cls.listeners:
                listener(arguments[0])
