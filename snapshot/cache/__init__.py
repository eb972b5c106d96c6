"""Reads and writes the cache file of MirrorManager's mirrorlist-server; needs the extra `protobuf`.

A file that is read becomes rows of MirrorManager's tables, and one that is written is made of what
a snapshot says. A rule about a row never lives here, nor any code that writes a snapshot: both are
in `snapshot.export`, for a database and a cache alike.
"""
