"""uvicorn's private protocol class is the one that the server's own classes were written for.

A new release of uvicorn fails here before any client sees it; tests/test_fast.py then tells whether
its bytes are the same.
"""

import inspect
import re
import tomllib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
import uvicorn
from packaging.requirements import Requirement
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import Server, ServerState

from mirrorlist.web.protocol import LimitedProtocol
from tests.connection import Connection, app

ROOT = Path(__file__).parent.parent


def pinned() -> Requirement:
    """Return what pyproject.toml says of uvicorn."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (found,) = (one for one in map(Requirement, project["dependencies"]) if one.name == "uvicorn")
    return found


def test_the_uvicorn_in_use() -> None:
    """The installed uvicorn and those of both lock files are within the pin; the next is not."""
    specifier = pinned().specifier
    locks = [ROOT / name for name in ("requirements.lock", "requirements-dev.lock")]
    locked = [re.findall(r"^uvicorn==([\d.]+) ", path.read_text(), re.MULTILINE) for path in locks]
    assert all(len(found) == 1 and found[0] in specifier for found in locked)
    assert version("uvicorn") in specifier
    assert "0.60.0" not in specifier
    assert "0.49.9" not in specifier


METHODS = {
    HttpToolsProtocol.__init__: ("config", "server_state", "app_state", "_loop"),
    HttpToolsProtocol.connection_made: ("transport",),
    HttpToolsProtocol.connection_lost: ("exc",),
    HttpToolsProtocol.eof_received: (),
    HttpToolsProtocol.data_received: ("data",),
    HttpToolsProtocol.on_message_begin: (),
    HttpToolsProtocol.on_url: ("url",),
    HttpToolsProtocol.on_header: ("name", "value"),
    HttpToolsProtocol.on_headers_complete: (),
    HttpToolsProtocol.on_body: ("body",),
    HttpToolsProtocol.on_message_complete: (),
    HttpToolsProtocol.on_response_complete: (),
    HttpToolsProtocol.pause_writing: (),
    HttpToolsProtocol.resume_writing: (),
    HttpToolsProtocol.shutdown: (),
    HttpToolsProtocol._start_asgi_task: ("cycle", "app"),
    FlowControl.__init__: ("transport",),
    FlowControl.pause_reading: (),
    FlowControl.resume_reading: (),
    Server.main_loop: (),
    Server.on_tick: ("counter",),
    Server.shutdown: ("sockets",),
}


@pytest.mark.parametrize(
    ("method", "parameters"),
    [pytest.param(*known, id=known[0].__qualname__) for known in METHODS.items()],
)
def test_methods(method: Callable[..., object], parameters: tuple[str, ...]) -> None:
    """What we override or call takes what it took when our classes were written."""
    assert tuple(inspect.signature(method).parameters) == ("self", *parameters)


def test_no_method_beside_them() -> None:
    """The parser calls no callback of uvicorn's that the table above lacks."""
    callbacks = {name for name in vars(HttpToolsProtocol) if name.startswith("on_")}
    assert callbacks <= {method.__name__ for method in METHODS}


# What our classes read and write on a connection, before and while a request is answered.
STATE = (
    *("app_state", "client", "config", "connections", "cycle", "flow", "headers", "loop", "parser"),
    *("pipeline", "scope", "server_state", "timeout_keep_alive", "transport"),
)
CYCLE = (
    *("disconnected", "keep_alive", "message_event", "more_body", "response_complete", "scope"),
    *("transport", "on_response"),
)


def test_attributes() -> None:
    """The attributes that our classes share with uvicorn's are uvicorn's own."""
    state, connection = ServerState(), Connection(LimitedProtocol, app)
    config = uvicorn.Config(app, log_config=None)
    made = HttpToolsProtocol(config, state, {}, _loop=connection.loop)
    assert [name for name in STATE if name not in vars(made)] == []
    assert {"connections", "default_headers", "total_requests"} <= vars(state).keys()
    connection.send(b"GET /x HTTP/1.1\r\n\r\n")
    cycle: RequestResponseCycle = connection.protocol.cycle
    assert [name for name in CYCLE if name not in vars(cycle)] == []
    connection.close()
