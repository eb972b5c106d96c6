"""Between a connection and its socket: flow control that can be held, and last transports."""

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.flow_control import FlowControl


class Flow(FlowControl):
    """uvicorn's flow control, with a hold that uvicorn cannot lift.

    uvicorn reads on whenever an answer ends or an app asks for a body, even while as many requests
    wait as may wait.
    """

    _is_held = False

    def hold(self) -> None:
        """Read nothing until `release`, even if uvicorn wants to."""
        self._is_held = True
        self.pause_reading()

    def release(self) -> None:
        """Let uvicorn read on when it wants to."""
        self._is_held = False

    def resume_reading(self) -> None:
        """Read on, unless reading is held."""
        if not self._is_held:
            super().resume_reading()


class LastTransport(asyncio.Transport):
    """The transport of a connection's last answer: instead of closing, it lingers."""

    def __init__(self, transport: asyncio.Transport, linger: Callable[[], None]) -> None:
        super().__init__()
        self.write = transport.write  # type: ignore[method-assign]
        self.is_closing = transport.is_closing  # type: ignore[method-assign]
        self.close = linger  # type: ignore[method-assign]


class _Gone(asyncio.Transport):
    """The transport of a connection that has ended."""

    def is_closing(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


GONE = _Gone()
GONE_FLOW = Flow(GONE)
