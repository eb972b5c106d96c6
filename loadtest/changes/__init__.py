"""Measures a change: how soon it is published and served, and what it costs clients meanwhile.

Never here: faults (that is `soak`), or what a request costs while nothing changes (`bench`).
"""
