"""A snapshot compiled into serving form: all that can be known before a client asks.

Nothing here knows a client, a clock or chance. Memory that grows with the queries that strangers
invent is bounded in bytes (`kept`).
"""
