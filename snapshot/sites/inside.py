"""Which places on this machine and in private networks a redirect may lead to."""

from urllib.parse import urlsplit

from msgspec import Struct

from snapshot.sites.config import Config, Primary

_PORTS = {"http": 80, "https": 443}


class Inside(Struct, frozen=True):
    """What the file allows: all places, or those that it names as a URL itself."""

    all: bool = False
    named: frozenset[tuple[str, int]] = frozenset()

    def allows(self, url: str) -> bool:
        """Whether a redirect may lead to a URL although it is inside."""
        return self.all or bool(self.named & _places(url))


def inside_of(config: Config) -> Inside:
    """Return what a site's file allows."""
    urls = [url for one in config.mirror for url in one.all_urls]
    if isinstance(config.primary, Primary) and config.primary.url is not None:
        urls.append(config.primary.url)
    named = (place for url in urls for place in _places(url))
    return Inside(config.site.private_redirects, frozenset(named))


def _places(url: str) -> frozenset[tuple[str, int]]:
    """Return host and port of an http or https URL; the two usual ports of a host are one place."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return frozenset()
    if parts.hostname is None or port is None:
        return frozenset()
    ports = _PORTS.values() if port in _PORTS.values() else (port,)
    return frozenset((parts.hostname, one) for one in ports)
