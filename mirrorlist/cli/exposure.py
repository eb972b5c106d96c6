"""Warns when the default of --trusted-proxy would trust strangers as if they were our proxies."""

from collections.abc import Sequence
from ipaddress import ip_address

from mirrorlist.web.listener import without_brackets

_WARNING = (
    "warning: listening on {host} with the default --trusted-proxy: a client that connects from a"
    " private network without X-Forwarded-For may see private mirrors and ask as any address, and"
    " behind a TCP forwarder (docker-proxy, rootless podman, kube SNAT) every client seems to."
    " Give --trusted-proxy the addresses of your HTTP proxies, or none; docs/operations.md,"
    " `Behind a TCP forwarder`, says what fits"
)


def warning_of_default_trust(hosts: Sequence[str], trusted_proxy: tuple[str, ...]) -> str | None:
    """Return the warning for an operator who listens on an open address with the default trust."""
    others = [host for host in hosts if not _is_loopback(host)]
    return None if trusted_proxy or not others else _WARNING.format(host=others[0])


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(without_brackets(host).partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"
