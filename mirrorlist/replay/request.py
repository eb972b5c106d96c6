"""A request that is replayed, with the client's address."""

from msgspec import Struct
from msgspec.structs import replace

Parameters = tuple[tuple[str, str | None], ...]


class Request(Struct, frozen=True):
    """A request from a trusted proxy; `forwarded` is the X-Forwarded-For line, in Latin-1.

    `kind` names a group of requests in a table.
    """

    kind: str
    path: str
    query: str
    forwarded: str | None = None
    method: str = "GET"

    @property
    def target(self) -> str:
        """The target of the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def is_metalink(self) -> bool:
        """Whether it asks for a metalink."""
        return self.path.endswith("/metalink")

    @property
    def parameters(self) -> Parameters:
        """The parameters in order; a parameter without an equals sign has the value None."""
        pairs = (part.partition("=") for part in self.query.split("&")) if self.query else ()
        return tuple((name, value if mark else None) for name, mark, value in pairs)

    def value(self, name: str) -> str | None:
        """Return a parameter's last value, "" without an equals sign, None if it is missing."""
        found = [value or "" for key, value in self.parameters if key == name]
        return found[-1] if found else None

    @property
    def client(self) -> str:
        """The client's address, if `ip=` or X-Forwarded-For is a single address."""
        return self.value("ip") or self.forwarded or "127.0.0.1"

    def having(self, name: str, value: str | None) -> "Request":
        """Return the request with another value of a parameter; None removes the parameter."""
        changed = [(key, value if key == name else old) for key, old in self.parameters]
        kept = [pair for pair in changed if pair[0] != name or value is not None]
        return replace(self, query=as_query(kept))


def as_query(pairs: list[tuple[str, str | None]] | Parameters) -> str:
    """Return the query string of parameters; the value None writes no equals sign."""
    return "&".join(name if value is None else f"{name}={value}" for name, value in pairs)
