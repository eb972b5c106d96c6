"""The file: its bytes and what they say, written and read.

Both sides of the wall need this room: the format, the model, the reader, the writer, and how a
file from elsewhere is read within limits. It never knows a database or a rule about rows.
"""
