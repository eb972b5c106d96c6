"""The commands with the names and flags of MirrorManager's two programs, done by ours.

They only put together what exists. `mirrorlist-server` imports a cache file, in a process of its
own, and serves; `generate-mirrorlist-cache` exports, and writes a cache file. docs/drop-in.md says
what is equal and what is not.
"""
