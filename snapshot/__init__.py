"""The snapshot: the file in `file`, and how it is made in the rooms beside it.

The server imports `snapshot.file` and no other room; no room imports the server.
"""
