"""How a snapshot is made: rows of MirrorManager's tables in, one published file out.

Here live the statements, the rules about rows and the checks before a publication. It may be slow
and careful. Never anything that a server needs to answer.
"""
