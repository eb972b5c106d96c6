"""The values of what publishes a file, where no setting says otherwise.

They stand apart, because a command reads the settings without opening a file.
"""

# Percent. A distribution that drops its oldest release loses a fifth of its directories at once.
DEFAULT_MAX_LOSS = 30
"""How much of what clients can use a new snapshot may lack of the previous one, in percent."""
