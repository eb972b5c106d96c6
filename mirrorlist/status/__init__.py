"""The pages for operators: health, metrics and status of a server or a watch, on their own port.

This room only reads the records of others. A failure here never reaches a client that asks for a
list, and no room below imports this one.
"""
