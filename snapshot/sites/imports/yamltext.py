"""Reads YAML as text with its places: YAML 1.1 would read `country: NO` as a switch that is off."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from snapshot.file.errors import DataFileError
from snapshot.file.wholefile import read_text
from snapshot.sites.imports.draft import Place

_TRUE = frozenset(("true", "yes", "on"))
_MOST_LEVELS = 20


class _Loader(yaml.SafeLoader):
    """Refuses references, by which a small file can stand for a large one."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="a reference (*)", problem_mark=self._mark())
        self._levels = getattr(self, "_levels", 0) + 1
        if self._levels > _MOST_LEVELS:
            raise yaml.MarkedYAMLError(problem="too many levels", problem_mark=self._mark())
        try:
            return super().compose_node(parent, index)
        finally:
            self._levels -= 1

    def _mark(self) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        return event.start_mark


def read_yaml(file: Path) -> "Value":
    """Return the value of a file; raises DataFileError with its line."""
    try:
        node = yaml.compose(read_text(file), _Loader)
    except OSError as error:
        raise DataFileError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataFileError(f"{file}: is not text in UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        why = getattr(error, "problem", None) or getattr(error, "reason", None) or "not readable"
        raise DataFileError(f"{file}:{line}: not YAML: {' '.join(str(why).split())}") from error
    if node is None:
        raise DataFileError(f"{file}:1: an empty file")
    return Value(str(file), node)


class Value(Struct, frozen=True):
    """A value of a file; to ask for another kind than it is raises DataFileError with its line."""

    file: str
    node: Any

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.file, self.node.start_mark.line + 1)

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return isinstance(self.node, yaml.SequenceNode)

    @property
    def text(self) -> str:
        """The text of a value that is neither a list nor a mapping."""
        if not isinstance(self.node, yaml.ScalarNode):
            raise DataFileError(f"{self.place}: needs a text, not a list or a mapping")
        return str(self.node.value).strip()

    @property
    def is_true(self) -> bool:
        """Whether it is a switch that is on."""
        return self.text.lower() in _TRUE

    @property
    def plain(self) -> str:
        """A short text of any value."""
        if isinstance(self.node, yaml.ScalarNode):
            return self.text
        if self.is_list:
            return ", ".join(one.plain for one in self.items())
        return ", ".join(f"{key}: {one.plain}" for key, one in self.mapping().items())

    def need(self, keys: dict[str, "Value"], name: str) -> "Value":
        """Take a key that has to be there out of the keys of this mapping."""
        if name not in keys:
            raise DataFileError(f"{self.place}: `{name}` is missing")
        return keys.pop(name)

    def items(self) -> list["Value"]:
        """Return the elements of a list."""
        if not self.is_list:
            raise DataFileError(f"{self.place}: needs a list")
        return [Value(self.file, one) for one in self.node.value]

    def texts(self) -> list[str]:
        """Return the elements of a list of texts."""
        return [one.text for one in self.items()]

    def mapping(self) -> dict[str, "Value"]:
        """Return keys and values of a mapping."""
        if not isinstance(self.node, yaml.MappingNode):
            raise DataFileError(f"{self.place}: needs keys with values")
        return dict(self._pairs())

    def _pairs(self) -> list[tuple[str, "Value"]]:
        return [(Value(self.file, k).text, Value(self.file, one)) for k, one in self.node.value]

    def doubled(self) -> Iterator[tuple[str, "Value"]]:
        """Yield each key of any mapping that comes a second time later: the last one counts."""
        if self.is_list:
            inner = self.items()
        elif isinstance(self.node, yaml.MappingNode):
            pairs = self._pairs()
            last = dict(pairs)
            yield from (pair for pair in pairs if last[pair[0]].node is not pair[1].node)
            inner = [*last.values()]
        else:
            inner = []
        for one in inner:
            yield from one.doubled()
