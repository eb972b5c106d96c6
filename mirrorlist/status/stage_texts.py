"""What is to be known of each stage: what it does, what it counts, and what mends it."""

import tomllib
from importlib.resources import files

import msgspec
from msgspec import Struct


class About(Struct, frozen=True):
    """What is to be known of every stage of a name, in parts of Markdown."""

    name: str
    does: str
    """What it does, and in which process."""
    received: str
    """What is counted as received and processed, in the plural."""
    backlog: str
    """What waits, in the plural."""
    unused: str
    """How to use it, or to show it here."""
    mends: tuple[str, ...]
    """What to do if it is behind or down, the most frequent cause first."""


def _read() -> dict[str, About]:
    text = (files("mirrorlist.status") / "stages.toml").read_text(encoding="utf-8")
    found = msgspec.convert(tomllib.loads(text)["stage"], list[About])
    return {one.name: one for one in found}


STAGES = _read()
"""The stages in the order of the chain."""
