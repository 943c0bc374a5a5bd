"""Questions that are several questions, told by their words."""

from __future__ import annotations

import re

PARTS = 3
"""Most parts of one question; what has more is a list."""

_LEAST_WORDS = 3
_ASKS = (
    r"who|whom|whose|what|which|when|where|why|how|is|are|was|were|do|does|did|can|could|should|may|must|"
    r"kim|ne|neden|niçin|niye|nasıl|hangi|kaç|nerede|nereye|nereden"
)
_LEADS = r"(?:(?:also|then|ayrıca|in|on|at|by|for|from|of|to|with|during|under|about|through|since|after|before)\s+)?"
_BETWEEN = re.compile(
    rf"(?<=\?)\s+|\s*[;,]?\s+(?:and|but|or|ve|veya|ya da)\s+(?={_LEADS}(?:{_ASKS})\b)|"
    rf"\s*;\s*(?=(?:{_ASKS})\b)",
    re.IGNORECASE,
)
_ASKING = re.compile(rf"\b(?:{_ASKS})\b|\?|\bm[iıuü](?:d[iıuü]r)?\b", re.IGNORECASE)


def parts_of(question: str) -> tuple[str, ...]:
    """Returns the questions that ``question`` consists of; nothing where it is one.

    Only what asks by itself is a part: “bread and butter” stays one thing.
    """
    pieces = [piece.strip(" ,;") for piece in _BETWEEN.split(question)]
    parts = [piece for piece in pieces if len(piece.split()) >= _LEAST_WORDS and _ASKING.search(piece)]
    return tuple(parts) if len(parts) == len([piece for piece in pieces if piece]) and 1 < len(parts) <= PARTS else ()
