"""Every setting, in tables: the source of the flags, the environment, the file, the docs.

Not settings, because they are part of one question: `--ip` of `ask`, `--path` of `inspect` and
the like, and what a scan or an import of packages is about. Each stands in its command.
"""
