"""The fields of a JSON answer, read off the struct that it is made from, with their docstrings."""

import ast
import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from textwrap import dedent
from typing import get_type_hints

from msgspec import inspect as msgspec_inspect
from msgspec.inspect import (
    AnyType,
    BoolType,
    DictType,
    EnumType,
    FloatType,
    IntType,
    ListType,
    NoneType,
    StrType,
    StructType,
    TupleType,
    Type,
    TypedDictType,
    UnionType,
    VarTupleType,
)

Row = tuple[str, str, str]
"""A field's path, its type and its meaning."""

BY_NAME = "by name"
"""Marks an object whose names are data."""

_PLAIN = {
    AnyType: "anything",
    BoolType: "true or false",
    FloatType: "number",
    IntType: "integer",
    StrType: "text",
    TupleType: "pair",
}


def fields(shape: type, shown: Mapping[type, str] | None = None) -> Iterator[Row]:
    """Yield every field of a struct or typed dictionary, those of its parts after it.

    `shown` are structs that stand elsewhere, with the place, and one that stands here twice is
    shown once; without `shown` all are shown.
    """
    yield from _fields(shape, None if shown is None else dict(shown), "")


def _fields(shape: type, shown: dict[type, str] | None, path: str) -> Iterator[Row]:
    found = msgspec_inspect.type_info(shape)
    assert isinstance(found, StructType | TypedDictType)
    order, meanings = list(get_type_hints(shape)), _docstrings(shape)
    for field in sorted(found.fields, key=lambda field: order.index(field.name)):
        name = f"{path}{field.encode_name}"
        kind, part, mark = _kind(field.type)
        if part is None:
            yield f"`{name}`", kind, meanings.get(field.name, "")
        elif shown is not None and part in shown:
            yield f"`{name}`", kind, f"as {shown[part]}"
        else:
            if shown is not None:
                shown[part] = f"`{name}{mark}`"
            yield f"`{name}`", kind, meanings.get(field.name) or _sentence(part)
            yield from _fields(part, shown, f"{name}{mark}.")


def _kind(found: Type) -> tuple[str, type | None, str]:
    """Return a type in words, the struct within it, and what marks a path through it."""
    if isinstance(found, UnionType):
        (some,) = (one for one in found.types if not isinstance(one, NoneType))
        kind, part, mark = _kind(some)
        return f"{kind}, or null", part, mark
    if isinstance(found, ListType | VarTupleType):
        kind, part, mark = _kind(found.item_type)
        return f"list of {_many(kind)}", part, f"[]{mark}"
    if isinstance(found, DictType):
        kind, part, mark = _kind(found.value_type)
        return f"object: {kind} {BY_NAME}", part, f".*{mark}"
    if isinstance(found, StructType | TypedDictType):
        return "object", found.cls, ""
    if isinstance(found, EnumType):
        return ", ".join(f"`{one.value}`" for one in found.cls), None, ""
    return _PLAIN[type(found)], None, ""


def _many(kind: str) -> str:
    return kind if kind == "text" else f"{kind}s"


def _sentence(shape: type) -> str:
    return " ".join((shape.__doc__ or "").partition("\n\n")[0].split())


@cache
def _docstrings(shape: type) -> dict[str, str]:
    """Return the docstring below each field of a class, and of those that it builds on."""
    found: dict[str, str] = {}
    for one in reversed(shape.__mro__):
        if one.__module__.startswith(("mirrorlist", "snapshot")):
            found |= _below_fields(one)
    return found


def _below_fields(shape: type) -> dict[str, str]:
    (definition,) = ast.parse(dedent(inspect.getsource(shape))).body
    assert isinstance(definition, ast.ClassDef)
    found = {}
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=text)):
                # A row of a table is one line.
                found[name] = " ".join(str(text).split())
    return found
