"""What a change costs: how soon it is published and served, and what those pay who ask meanwhile.

Never here: faults (that is `soak`), or what a request costs while nothing changes (`bench`).
"""
