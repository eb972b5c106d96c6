"""What mirrors' rsync runs cost with our lists and without, and what a list costs the server.

Never here: the script that mirrors run (`contrib/`), or its tests.
"""
