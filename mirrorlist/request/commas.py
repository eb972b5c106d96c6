"""Lists in one text: elements with commas between, in parameters and settings."""

_BLANKS = " \t\r\n"


def elements(text: str, also_blank: str = "") -> list[str]:
    """Return the elements between commas, without blanks around them; empty ones are left out.

    `also_blank` are further characters that count as blanks there.
    """
    blanks = _BLANKS + also_blank
    return [part for one in text.split(",") if (part := one.strip(blanks))]
