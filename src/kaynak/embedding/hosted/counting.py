"""Tokens of models whose tokenizer stays with their maker."""

from __future__ import annotations

import re
from itertools import islice

# Letters of ASCII by six, others that are written with two bytes by three, digits by three; all else one by one.
_TOKEN = re.compile(r"[A-Za-z]{1,6}|[0-9]{1,3}|[\u00c0-\u167f\u1681-\u1fff]{1,3}|\S")


class EstimatingCounter:
    """Counts about as many tokens as the tokenizers of large models make. See `TokenCounter`.

    It is the same everywhere. The tokenizer of a local model would count no better for a model of somebody else, and
    where one host has it and another has not, the two would cut documents differently: what counts tokens is part of
    what a generation is made of.

    Attributes:
        estimated: Says that nothing about a model can be told from how it counts, such as which languages it speaks.
    """

    fingerprint = "estimate-1"
    estimated = True

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """See `TokenCounter`."""
        return [match.span() for match in _TOKEN.finditer(text)]

    def starts(self, text: str) -> list[int]:
        """See `TokenCounter`."""
        return [match.start() for match in _TOKEN.finditer(text)]

    def count(self, text: str) -> int:
        """See `TokenCounter`."""
        return sum(1 for _ in _TOKEN.finditer(text))

    def cut(self, text: str, most: int) -> str:
        """Returns as much of ``text`` as has at most ``most`` tokens."""
        if len(text) <= most:
            return text  # a token has a character at least
        last = next(islice(_TOKEN.finditer(text), max(0, most - 1), None), None)
        return text if last is None else text[: last.end()]
