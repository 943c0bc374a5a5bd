"""What is embedded for a chunk: its text, and where it stands."""

from __future__ import annotations

from collections.abc import Sequence

PREFIX_TOKENS = 40
"""Room for the title and headings before a chunk, in tokens."""


def prefix_room(max_tokens: int) -> int:
    """Returns how many of a model's ``max_tokens`` are kept for the prefix."""
    return min(PREFIX_TOKENS, max_tokens // 4)


def embedding_text(title: str | None, headings: Sequence[str], text: str, *, room: int = PREFIX_TOKENS) -> str:
    """Returns the text to embed for a chunk: title and innermost headings on a line of their own, then the text.

    The prefix is kept to about ``room`` tokens of an ordinary vocabulary; the outermost headings give way first.
    A heading that says the same as the title, or with which the text begins, is not repeated.
    """
    wanted: list[str] = []
    left = room
    begins = _plain(text[:400].lstrip("# "))
    for name in [title or "", *reversed(headings)]:
        name = " ".join(name.split())
        plain = _plain(name)
        if not plain or begins.startswith(plain) or any(plain == _plain(other) for other in wanted):
            continue
        cost = _estimate(name)
        if cost > left:
            name, cost = _shorten(name, left), left
        if name:
            wanted.append(name)
            left -= cost
    # The title came first so that it is never the one to give way; headings were collected from the inside out.
    path = wanted[:1] + wanted[:0:-1]
    return f"{' – '.join(path)}\n{text}" if path else text


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _estimate(name: str) -> int:
    """Returns about how many tokens ``name`` has: one for four letters of a word, one for any other character."""
    return 1 + sum(1 + len(word) // 4 if word.isascii() and word.isalpha() else len(word) for word in name.split())


def _shorten(name: str, tokens: int) -> str:
    kept: list[str] = []
    for word in name.split():
        if _estimate(" ".join([*kept, word])) > tokens:
            break
        kept.append(word)
    return " ".join(kept)
