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
