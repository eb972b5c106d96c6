"""The protobuf messages in mirrorlist-server's cache file, with the fields that are used.

Numbers and types of the fields are those of docs/mirrormanager.md#the-cache-file. Text fields are
declared as bytes, so that a name that is not UTF-8 costs one row and not the whole file.
"""

from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_F = FieldDescriptorProto
_TEXT, _NUMBER, _SIZE, _FLAG = _F.TYPE_BYTES, _F.TYPE_INT64, _F.TYPE_UINT64, _F.TYPE_BOOL
_ONE, _MANY = _F.LABEL_OPTIONAL, _F.LABEL_REPEATED

TIME, HOSTS_OF_DIRECTORY, FILES_OF_DIRECTORY = 1, 16, 5
MAPS = {
    2: ("netblock_countries", "TextToText"),
    4: ("urls", "NumberToText"),
    6: ("disabled", "TextToFlag"),
    7: ("continents", "TextToText"),
    8: ("redirects", "TextToText"),
    9: ("repositories", "TextToText"),
    10: ("asns", "NumberToNumbers"),
    12: ("countries", "NumberToText"),
    13: ("bandwidths", "NumberToNumber"),
    14: ("countries_allowed", "NumberToTexts"),
    15: ("netblocks", "TextToNumbers"),
}
"""Field number in the file: our name for the map, and the message of each entry."""

# Message, then its fields: name, number, type, label. Messages within messages are declared as
# bytes too: many are equal, and equal ones need to be parsed only once.
_MESSAGES = {
    "TextToText": [("key", 1, _TEXT, _ONE), ("value", 2, _TEXT, _ONE)],
    "TextToFlag": [("key", 1, _TEXT, _ONE), ("value", 2, _FLAG, _ONE)],
    "TextToNumbers": [("key", 1, _TEXT, _ONE), ("value", 2, _NUMBER, _MANY)],
    "NumberToText": [("key", 1, _NUMBER, _ONE), ("value", 2, _TEXT, _ONE)],
    "NumberToTexts": [("key", 1, _NUMBER, _ONE), ("value", 2, _TEXT, _MANY)],
    "NumberToNumber": [("key", 1, _NUMBER, _ONE), ("value", 2, _NUMBER, _ONE)],
    "NumberToNumbers": [("key", 1, _NUMBER, _ONE), ("value", 2, _NUMBER, _MANY)],
    "FileDetails": [
        ("timestamp", 1, _SIZE, _ONE),
        ("size", 2, _SIZE, _ONE),
        ("sha1", 3, _TEXT, _ONE),
        ("md5", 4, _TEXT, _ONE),
        ("sha256", 5, _TEXT, _ONE),
        ("sha512", 6, _TEXT, _ONE),
    ],
    "File": [("filename", 1, _TEXT, _ONE), ("details", 2, _TEXT, _MANY)],
    "FilesOfDirectory": [("directory", 1, _TEXT, _ONE), ("files", 2, _TEXT, _MANY)],
    # The fields in which directories with the same hosts differ.
    "NamesOfDirectory": [("directory", 1, _TEXT, _ONE), ("subpath", 3, _TEXT, _ONE)],
    # `public` is called Global there. Fields that are never filled or not needed are not declared.
    "HostsOfDirectory": [
        ("public", 2, _NUMBER, _MANY),
        ("by_country", 4, _TEXT, _MANY),
        ("urls_of_hosts", 6, _TEXT, _MANY),
    ],
    # The whole file, for writing.
    "Cache": [
        ("time", TIME, _SIZE, _ONE),
        ("files", FILES_OF_DIRECTORY, _TEXT, _MANY),
        ("directories", HOSTS_OF_DIRECTORY, _TEXT, _MANY),
        *((name, number, _TEXT, _MANY) for number, (name, _) in MAPS.items()),
    ],
}


def _classes() -> dict[str, Any]:
    file = FileDescriptorProto(name="mirrorlist_cache.proto", package="cache", syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, label in fields:
            message.field.add(name=field, number=number, type=kind, label=label)
    pool = DescriptorPool()
    pool.Add(file)
    return {
        name: GetMessageClass(pool.FindMessageTypeByName(f"cache.{name}")) for name in _MESSAGES
    }


_CLASSES = _classes()


def parse(message: str, data: bytes) -> Any:
    """Return a message of that name; raises google.protobuf.message.DecodeError."""
    return _CLASSES[message].FromString(data)


def make(message: str, **fields: Any) -> bytes:
    """Return the bytes of a message of that name with these fields."""
    data: bytes = _CLASSES[message](**fields).SerializeToString()
    return data


def parse_names(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the name and the subpath of a directory with hosts, and the other fields unparsed."""
    found = parse("NamesOfDirectory", data)
    directory, subpath = found.directory, found.subpath
    found.ClearField("directory")
    found.ClearField("subpath")
    # The library keeps fields that are not declared, and writes them in the order of their coming.
    return directory, subpath, found.SerializeToString()
