"""The values that lists have where no setting says otherwise.

They stand apart, because a command reads the settings without making a list.
"""

DEFAULT_MINIMUM = 5
"""Tiers are added until a list has this many hosts."""
DEFAULT_REUSE = 16
"""How many answers may have the same drawn order."""
