"""How a list is made: its target, its hosts in tiers and in order, and the bytes of the body.

This room does no I/O, and chance is an argument: the same seed gives the same bytes. Answers,
explanations and the emergency answer are all made from one `Plan`.
"""
