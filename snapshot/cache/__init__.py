"""Reads the cache file of MirrorManager's mirrorlist-server; needs the extra `protobuf`."""
