"""uvicorn's configuration, for the public port and the admin listener alike."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp


def make_config(app: ASGIApp, make: Callable[..., asyncio.Protocol], **own: Any) -> uvicorn.Config:
    """Return the configuration of a server of an app, whose connections are made by `make`.

    `own` are the options of this listener alone, such as how long a kept connection may wait.
    """
    # Clients' mistakes are not logged; only internal errors go to the operator.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    return uvicorn.Config(
        app,
        # uvicorn's type says that this is a class, but uvicorn only calls it.
        http=cast(type[asyncio.Protocol], make),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        **own,
    )
