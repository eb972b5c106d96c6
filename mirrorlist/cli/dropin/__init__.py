"""The command `mirrorlist-server`: what MirrorManager's server of that name is told, done by ours.

It only puts together what exists: the import of a cache file, in a process of its own, and the
server. docs/drop-in.md says what is equal and what is not.
"""
