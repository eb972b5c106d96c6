"""Asks two servers the same and compares what their answers mean.

`theirs` is mirrorlist-server's side, `ours` is this server's. Nothing that answers a client ever
lives here. Of mirrorlist-server, this room knows only the differences that docs/protocol.md names.
"""
