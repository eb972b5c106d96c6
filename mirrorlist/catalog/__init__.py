"""A snapshot compiled into serving form: all that can be known before a client asks.

Nothing here knows a query's client, a clock or chance. Memory that depends on what strangers think
up is bounded in bytes (`kept`).
"""
