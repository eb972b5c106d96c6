"""Connections of proxies that forward bytes, and name their client with the PROXY protocol.

A trusted proxy (`--trusted-proxy`) must begin each connection with a header, or it is refused. All
others speak plain HTTP, and a PROXY header from them is refused as bad HTTP. The peer's address
decides which of the two it is, before its first byte: "The receiver MUST be configured to only
receive the protocol described in this specification and MUST not try to guess whether the protocol
header is present or not." (https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt)
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

    The client that the header names replaces the peer, so an X-Forwarded-For line is believed only
    if this client is a trusted proxy too.
    """

    # The bytes of the header so far; None if no header is expected, or none any more.
    _heard: bytes | None = None

    def __init__(self, *given: Any, is_proxy: Callable[[str | None], bool], **common: Any) -> None:
        """Take the arguments of other protocols, and a test for the address of a trusted proxy."""
        super().__init__(*given, **common)
        self._is_proxy = is_proxy

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a header, if a trusted proxy connects."""
        super().connection_made(transport)
        if self._is_proxy(self.client[0] if self.client else None):
            self._heard = b""

    def data_received(self, data: bytes) -> None:
        """Take the header, then requests."""
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
            # A client without an address. It must not pass for the proxy, which is believed more.
            self.client = UNKNOWN_CLIENT

    def _text(self, status: HTTPStatus) -> str:
        return super()._text(status) if self._heard is None else _TEXT


class ProxiedFastProtocol(ProxiedProtocol, FastProtocol):
    """A connection that may begin with a PROXY header, and answers lists itself."""
