"""Reads the cache file of MirrorManager's mirrorlist-server; needs the extra `protobuf`.

It turns the file into rows of MirrorManager's tables. A rule about a row never lives here, nor any
code that writes a snapshot: both are in `snapshot.export`, for a database and a cache alike.
"""
