"""Reads modules.yaml: the modules of a repository, and the packages that belong to each."""

import re
from collections.abc import Iterable

import yaml
from msgspec import Struct

from snapshot.file.errors import UnusableRepository
from snapshot.slim.nevra import Nevra, nevra_of

MOST_BYTES = 4 << 20
"""The largest document of a modules.yaml; it takes 60 times as much memory to be read."""
_BETWEEN = re.compile(r"^---[ \t]*$", re.MULTILINE)
# All values as texts: the stream 1.10 is not 1.1.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class Module(Struct, frozen=True):
    """A version of a module; of documents that are not modules, only the text is known.

    `stream` is name, stream, context and arch: what a version is one of.
    """

    text: str
    stream: tuple[str, ...] = ()
    version: int = 0
    artifacts: frozenset[Nevra] = frozenset()


def read_modules(text: str) -> list[Module]:
    """Return the documents of a modules.yaml in their order; raises UnusableRepository."""
    return [_module(one) for one in _BETWEEN.split(text) if one.strip(" \t\r\n.")]


def written(modules: Iterable[Module]) -> str:
    """Return a modules.yaml of these documents, each as it was."""
    return "".join(f"---\n{one.text.strip()}\n" for one in modules)


def _module(text: str) -> Module:
    if len(text) > MOST_BYTES:
        raise UnusableRepository(f"modules.yaml has a document of more than {MOST_BYTES:,} bytes")
    try:
        document = yaml.load(text, _LOADER)
        data = document["data"]
        if document["document"] not in ("modulemd", "modulemd-v2"):
            return Module(text)
        stream = tuple(_scalar(data.get(key, "")) for key in ("name", "stream", "context", "arch"))
        listed = (data.get("artifacts") or {}).get("rpms") or []
        artifacts = frozenset(nevra for one in listed if (nevra := nevra_of(_scalar(one))))
        return Module(text, stream, int(data.get("version") or 0), artifacts)
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as why:
        line = " ".join(str(why).split())[:200]
        raise UnusableRepository(f"modules.yaml cannot be read: {line}") from why


def _scalar(value: object) -> str:
    """Return a text; a list may stand for many more bytes than it has, by aliases of lists."""
    if not isinstance(value, str):
        raise TypeError("a list or a map where a text must be")
    return value
