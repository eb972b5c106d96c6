"""Lists in one text: elements with commas between, in parameters and settings."""

_BLANKS = " \t\r\n"


def elements(text: str, also_blank: str = "") -> list[str]:
    """Return the elements between commas, without blanks around them; empty ones are left out.

    `also_blank` are further characters that count as blanks there.
    """
    parts = (part.strip(_BLANKS + also_blank) for part in text.split(","))
    return [part for part in parts if part]
