"""Connections of proxies that forward bytes, and say with the PROXY protocol whose they are.

A trusted proxy (`--trusted-proxy`) must begin each connection with a header: what it does not
say is not guessed. Anybody else speaks plain HTTP, and a header of his is refused as such; which
of the two it is, his address decides before his first byte.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from mirrorlist.web.fast import FastProtocol
from mirrorlist.web.protocol import LimitedProtocol
from mirrorlist.web.proxyheader import NotAHeader, ProxyHeader, read_header
from mirrorlist.web.states import UNKNOWN_CLIENT

_TEXT = (
    "This port takes connections of trusted proxies with a PROXY header only"
    " (--proxy-protocol, --trusted-proxy)."
)


class ProxiedProtocol(LimitedProtocol):
    """A connection that may begin with a PROXY header.

    The client that it names stands in the place of the peer, so an X-Forwarded-For line is
    believed only if he is a trusted proxy himself.
    """

    # What has come of the header; None where there is none to come.
    _heard: bytes | None = None

    def __init__(self, *given: Any, is_proxy: Callable[[str | None], bool], **common: Any) -> None:
        """Take what other protocols take, and what tells a trusted proxy by its address."""
        super().__init__(*given, **common)
        self._is_proxy = is_proxy

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a header, if a trusted proxy connects."""
        super().connection_made(transport)
        if self._is_proxy(self.client[0] if self.client else None):
            self._heard = b""

    def data_received(self, data: bytes) -> None:
        """Take the header, then what is asked."""
        if self._heard is None or self._is_deaf:
            super().data_received(data)
            return
        self._heard += data
        try:
            header = read_header(self._heard)
        except NotAHeader:
            self._refuse(HTTPStatus.BAD_REQUEST)
            return
        if header:
            rest, self._heard = self._heard[header.size :], None
            self._take(header)
            if rest:
                super().data_received(rest)

    def _take(self, header: ProxyHeader) -> None:
        if header.address is not None:
            self.client = header.address, header.port
        elif not header.is_local:
            # Somebody, and not the proxy: who passes for it would be ours.
            self.client = UNKNOWN_CLIENT

    def _text(self, status: HTTPStatus) -> str:
        return super()._text(status) if self._heard is None else _TEXT


class ProxiedFastProtocol(ProxiedProtocol, FastProtocol):
    """A connection that may begin with a PROXY header, and answers lists itself."""
