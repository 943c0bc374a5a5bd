from __future__ import annotations

_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
          (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip


def numeral(number: int, style: str) -> str:
    """Returns a list number in a style of Word or ODF: ``lowerLetter``, ``upperRoman``, ``a``, ``I``, decimal."""
    if style in {"lowerRoman", "i"}:
        return _roman(number)
    if style in {"upperRoman", "I"}:
        return _roman(number).upper()
    if style in {"lowerLetter", "a"}:
        return _letters(number)
    if style in {"upperLetter", "A"}:
        return _letters(number).upper()
    return f"{number:02d}" if style == "decimalZero" else str(number)


def _roman(number: int) -> str:
    if not 0 < number < 4000:
        return str(number)
    text = ""
    for value, letters in _ROMAN:
        count, number = divmod(number, value)
        text += letters * count
    return text


def _letters(number: int) -> str:
    # As Word does it: z is followed by aa, bb, cc.
    if not 0 < number <= 780:
        return str(number)
    turns, letter = divmod(number - 1, 26)
    return chr(ord("a") + letter) * (turns + 1)
