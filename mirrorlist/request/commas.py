"""Lists in one text: elements with commas between, as parameters and settings have them."""

_BLANKS = " \t\r\n"


def elements(text: str, also_blank: str = "") -> list[str]:
    """Return what stands between commas, without blanks around it; nothing for an empty element.

    `also_blank`: what else is a blank around an element.
    """
    parts = (part.strip(_BLANKS + also_blank) for part in text.split(","))
    return [part for part in parts if part]
