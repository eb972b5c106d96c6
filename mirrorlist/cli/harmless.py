"""Text that others wrote, without orders for the terminal."""

# Control characters, with which a terminal can be told to do things.
_ORDERS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], "?")
# The same, but for the ends of lines and tabs, of which text for people is made.
_ORDERS_IN_TEXT = {code: text for code, text in _ORDERS.items() if chr(code) not in "\n\t"}


def one_line(text: str) -> str:
    """Return a text, such as a file name, with a question mark for each control character."""
    return text.translate(_ORDERS)


def harmless(text: str) -> str:
    """Return a text of several lines, in which ends of lines and tabs stay."""
    return text.translate(_ORDERS_IN_TEXT)
