"""Directories that storage and rsync make on their own, and that mirrors do not need.

Source: docs/mirrormanager.md#directories-that-are-noise.
"""

NOISE = frozenset((".snapshot", ".~tmp~"))


def is_noise(name: str) -> bool:
    """Return whether a directory, by its full path, is noise or lies in a noise directory."""
    return "." in name and not NOISE.isdisjoint(name.split("/"))
