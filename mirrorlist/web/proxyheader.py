"""The PROXY protocol's header, versions 1 and 2: the client behind a proxy that forwards bytes.

Source: https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt. Only the client's address and
port are used; the rest of a header is passed over.
"""

from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

from mirrorlist.errors import MirrorlistError

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
"""The first bytes of version 2."""

MOST_LINE_BYTES = 107
"""The longest header of version 1, with its line end, by the specification."""

MOST_BYTES = 8192
"""The longest header of version 2; the specification allows 64 KB, and advises to keep to 536."""

_PREFIX = b"PROXY "
_FIXED_BYTES = 16
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
# Families whose client has no address that counts here: unspecified, UDP, Unix sockets.
_WITHOUT_ADDRESS = (0x00, 0x12, 0x22, 0x31, 0x32)
_ADDRESS_BYTES = {_TCP4: 12, _TCP6: 36, 0x12: 12, 0x22: 36, 0x31: 216, 0x32: 216}


class NotAHeader(MirrorlistError):
    """The bytes do not begin with a PROXY header, or the header is malformed."""


class ProxyHeader(Struct, frozen=True):
    """A header's size in bytes, and the client that it names.

    `is_local` says that the proxy asks for itself, as for a health check. Otherwise there is a
    client, whose address is None if the proxy does not say it.
    """

    size: int
    address: str | None = None
    port: int = 0
    is_local: bool = False


def read_header(data: bytes) -> ProxyHeader | None:
    """Return the header at the beginning of bytes, or None until it is whole; raises NotAHeader."""
    if SIGNATURE.startswith(data[: len(SIGNATURE)]):
        return _version_2(data) if len(data) >= _FIXED_BYTES else None
    if _PREFIX.startswith(data[: len(_PREFIX)]):
        return _version_1(data)
    raise NotAHeader("it begins otherwise")


def _version_1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, MOST_LINE_BYTES)
    if end < 0:
        if len(data) >= MOST_LINE_BYTES:
            raise NotAHeader("its line does not end")
        return None
    line, size = data[:end], end + 2
    if not line.isascii() or b"\r" in line or b"\n" in line or b"\0" in line:
        raise NotAHeader("its line is not text")
    words = line.decode().split(" ")
    if words[1] == "UNKNOWN":
        return ProxyHeader(size)
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6"):
        raise NotAHeader("its line is malformed")
    _, family, source, target, port, other = words
    _parsed(family, target), _port(other)
    return ProxyHeader(size, _parsed(family, source), _port(port))


def _parsed(family: str, text: str) -> str:
    kind = IPv4Address if family == "TCP4" else IPv6Address
    try:
        if "%" in text:
            raise NotAHeader("its address has a zone")
        return str(kind(text))
    except ValueError as error:
        raise NotAHeader("its address is not an address") from error


def _port(text: str) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) <= 5
    if not is_number or (text != "0" and text.startswith("0")) or int(text) > 0xFFFF:
        raise NotAHeader("its port is not a port")
    return int(text)


def _version_2(data: bytes) -> ProxyHeader | None:
    command, family = data[12], data[13]
    length = int.from_bytes(data[14:16], "big")
    size = _FIXED_BYTES + length
    if command not in (_LOCAL, _PROXY):
        raise NotAHeader("its version or command is unknown")
    if size > MOST_BYTES:
        raise NotAHeader("it is too long")
    if command == _LOCAL:
        return ProxyHeader(size, is_local=True) if len(data) >= size else None
    if family not in (_TCP4, _TCP6, *_WITHOUT_ADDRESS) or length < _ADDRESS_BYTES.get(family, 0):
        raise NotAHeader("its address family is unknown, or its address cut short")
    if len(data) < size:
        return None
    if family in _WITHOUT_ADDRESS:
        return ProxyHeader(size)
    address = IPv4Address(data[16:20]) if family == _TCP4 else IPv6Address(data[16:32])
    at = _FIXED_BYTES + (8 if family == _TCP4 else 32)
    return ProxyHeader(size, str(address), int.from_bytes(data[at : at + 2], "big"))
