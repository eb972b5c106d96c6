"""Lists in one text: elements with commas between, in parameters and settings."""

_BLANKS = " \t\r\n"


def elements(text: str, also_blank: str = "") -> list[str]:
    """Return the elements between commas, without blanks around them; empty ones are left out.

    `also_blank` are further characters that count as blanks there.
    """
    parts = text.split(",")
    # Nearly always they are letters and digits alone, and one look at all of them is enough.
    if "" not in parts and "".join(parts).isalnum():
        return parts
    blanks = _BLANKS + also_blank
    return [part for one in parts if (part := one.strip(blanks))]
