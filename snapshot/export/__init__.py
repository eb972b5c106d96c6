"""How a snapshot is made: rows of MirrorManager's tables in, one published file out.

This room holds the statements, the rules about rows and the checks before a publication. It may be
slow and careful. It never holds code that a server needs to answer.
"""
