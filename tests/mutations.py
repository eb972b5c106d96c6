"""Damage to bytes, from a seed: what a bad disk or a cut transfer makes of a file."""

from random import Random


def mutated(content: bytes, seed: int) -> bytes:
    """Return the content with one to eight things wrong in it."""
    chance, out = Random(seed), bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        place = chance.randrange(len(out))
        match chance.randrange(6):
            case 0:
                out[place] ^= 1 << chance.randrange(8)
            case 1:
                out[place] = chance.choice((0, 0xFF, 0x7F, 0x80, chance.randrange(256)))
            case 2:
                count = chance.randrange(1, 9)
                out[place : place + count] = chance.randbytes(len(out[place : place + count]))
            case 3:
                other = chance.randrange(len(out))
                run = bytes(out[other : other + chance.randrange(1, 64)])
                out[place : place + len(run)] = run[: len(out) - place]
            case 4:
                # Lengths and counts are little- or big-endian numbers of four bytes.
                huge = chance.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, len(out)))
                order = chance.choice(("little", "big"))
                packed = huge.to_bytes(4, order)  # type: ignore[arg-type]
                out[place : place + 4] = packed[: len(out) - place]
            case _:
                out[place : place + chance.randrange(1, 5)] = b""
        if not out:
            out = bytearray(b"\0")
    return bytes(out)
