"""The file: its bytes and what they say, written and read.

Here lives what both sides of the wall need: the format, the model, the reader, the writer, and how
a file from elsewhere is read within limits. Never a database, and nothing of rules about rows.
"""
