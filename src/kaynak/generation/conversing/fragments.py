"""“And in Turkey?”: a piece of a question that takes the place of another piece of the question before it."""

from __future__ import annotations

from collections.abc import Sequence

from kaynak.generation.conversing.tokens import Token, same, tokens_of, word_set

PREPOSITIONS = word_set(
    "in on at to from by for with without of about into over under after before during between within until since per"
)
_ARTICLES = word_set("a an the our my their")
_END = " ?!.…"
# Turkish case endings by what they say, as they follow an apostrophe.
_CASES = (
    word_set("da de ta te"),
    word_set("dan den tan ten"),
    word_set("a e ya ye na ne"),
    word_set("ı i u ü yı yi yu yü nı ni nu nü"),
    word_set("ın in un ün nın nin nun nün"),
)


def put_in_place(fragment: str, before: str) -> str:
    """Returns the question ``before`` with ``fragment`` in the place of what it replaces, or at its end.

    What it replaces is a stretch that shares a word of content with it (“full-time employees” and “part-time
    staff”), what follows the same preposition, has the same case ending, or is of the same kind: a number or a name.
    """
    fragment = fragment.strip(_END + ",")
    new, old = _without_articles(tokens_of(fragment)), tokens_of(before)
    if not new or not old:
        return before
    stretch = _alike(new, old) or _same_preposition(new, old) or _same_case(new, old) or _same_kind(new, old)
    if stretch is None:
        between = " " if new[0].plain in PREPOSITIONS else " – "
        return f"{before.strip(_END)}{between}{fragment}?"
    put = fragment[new[0].start : new[-1].end]
    first, last = stretch
    return before[: old[first].start] + put + before[old[last].end :]


def _without_articles(tokens: Sequence[Token]) -> Sequence[Token]:
    while tokens and tokens[0].plain in _ARTICLES:
        tokens = tokens[1:]
    return tokens


def _alike(new: Sequence[Token], old: Sequence[Token]) -> tuple[int, int] | None:
    best, found = 0, None
    for first in range(len(old) - len(new) + 1):
        pairs = list(zip(new, old[first : first + len(new)], strict=True))
        shared = [a.content for a, b in pairs if same(a, b)]
        if any(shared) and len(shared) < len(new) and len(shared) > best:
            best, found = len(shared), (first, first + len(new) - 1)
    return found


def _same_preposition(new: Sequence[Token], old: Sequence[Token]) -> tuple[int, int] | None:
    if new[0].plain not in PREPOSITIONS or len(new) < 2:
        return None
    for first, token in enumerate(old):
        if token.plain != new[0].plain:
            continue
        last = first
        while last + 1 < len(old) and (old[last + 1].content or old[last + 1].plain in _ARTICLES):
            last += 1
        if last > first and _kind(old[last]) == _kind(new[-1]):
            return first, last
    return None


def _same_case(new: Sequence[Token], old: Sequence[Token]) -> tuple[int, int] | None:
    case = next((endings for endings in _CASES if new[-1].suffix in endings), None)
    if case is None:
        return None
    return next(((at, at) for at, token in enumerate(old) if token.suffix in case), None)


def _same_kind(new: Sequence[Token], old: Sequence[Token]) -> tuple[int, int] | None:
    if all(token.number for token in new):
        return next(((at, at) for at, token in enumerate(old) if token.number), None)
    if not all(token.capital for token in new):
        return None
    # At the beginning of a question every word has a capital; only names have an apostrophe before their ending.
    names = [at for at, token in enumerate(old) if token.content and token.capital and (at or token.suffix)]
    if not names or names[-1] - names[0] >= len(names):
        return None  # none, or several: which of them is meant is not known
    return names[0], names[-1]


def _kind(token: Token) -> str:
    return "number" if token.number else "name" if token.capital else "word"
