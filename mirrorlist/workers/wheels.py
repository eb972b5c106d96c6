"""The compiled packages that a server can go without, and what it costs.

They are loaded before the workers are forked: a worker that cannot load one would die, and the next
one too.
"""

import importlib

from mirrorlist.process.messages import Say

_OPTIONAL = {
    "uvloop": "asyncio's own event loop is used, which takes more CPU",
    "watchfiles": "a new snapshot is seen up to 2 s later",
}


def event_loop(say: Say) -> str:
    """Load the packages, and say which are missing; return the name of uvicorn's event loop."""
    there = [_is_there(name, cost, say) for name, cost in _OPTIONAL.items()]
    return "uvloop" if there[0] else "asyncio"


def load_late(loop: str) -> None:
    """Load what uvicorn imports only when it runs, for this event loop and the admin process's.

    Each process would import it for itself, and have it alone.
    """
    for name in ("lifespan.off", "loops.asyncio", f"loops.{loop}"):
        importlib.import_module(f"uvicorn.{name}")


def _is_there(name: str, cost: str, say: Say) -> bool:
    try:
        importlib.import_module(name)
    # A package that is half there, or that finds its machine unfit, may raise anything.
    except Exception as error:
        said = " ".join(str(error).split())
        say(f"warning: {name} cannot be loaded ({said}): {cost}")
        return False
    return True
