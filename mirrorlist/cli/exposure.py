"""Whether strangers would pass for programs of ours, by the default of --trusted-proxy."""

from ipaddress import ip_address

_WARNING = (
    "warning: listening on {host} with the default --trusted-proxy: whoever connects from a private"
    " network without X-Forwarded-For may see private mirrors and ask as any address, and behind a"
    " TCP forwarder (docker-proxy, rootless podman, kube SNAT) that is everybody. Give"
    " --trusted-proxy the addresses of your HTTP proxies, or none; docs/operations.md, `Behind a"
    " TCP forwarder`, says what fits"
)


def warning_of_default_trust(host: str, trusted_proxy: tuple[str, ...]) -> str | None:
    """Return what to tell an operator who has not said whom to trust on an open address."""
    if trusted_proxy or _is_loopback(host):
        return None
    return _WARNING.format(host=host)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"
