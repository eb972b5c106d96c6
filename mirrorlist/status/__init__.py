"""What operators see: health, metrics and status of a server or a watch, on a port of their own.

This room only reads what others recorded. A failure here never reaches a client that asks for a
list, and nothing below this room imports it.
"""
