"""JSON as it is sent over HTTP, by orjson; msgspec reads and writes all other JSON.

Structs become dictionaries first, which costs more than to write them: nothing that is answered by
the event loop for each client is JSON.
"""

import msgspec
import orjson


def as_json(value: object) -> bytes:
    """Return a value as the JSON of an answer; structs and enums may be within it.

    Raises TypeError for what has no JSON: text that is not Unicode, a key that is not text.
    """
    return orjson.dumps(value, default=msgspec.to_builtins)


def as_json_of_any_text(value: object) -> bytes:
    """Return the same, with escapes for what is not Unicode, as in the names of some files."""
    try:
        return as_json(value)
    except TypeError:
        return as_json(_escaped(msgspec.to_builtins(value)))


def _escaped(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [_escaped(one) for one in value]
    return {k: _escaped(one) for k, one in value.items()} if isinstance(value, dict) else value
