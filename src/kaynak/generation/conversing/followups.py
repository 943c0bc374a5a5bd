"""Follow-up questions made to stand alone without a language model, in English and Turkish."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kaynak.generation.conversing.fragments import PREPOSITIONS, put_in_place
from kaynak.generation.conversing.tokens import Token, content_of, names_in, tokens_of, word_set

_MOST_CARRIED = 8
_MOST_IN_FRAGMENT = 7
_BRIEF = 3
_LONGEST = 2000
"""Characters beyond which a question says itself what it is about, and an answer is not looked through."""

_OPENING = re.compile(
    r"\s*(?:(?:and|but|so|ok|okay|then|also|or|well|now|thanks|thank you|peki|ve|ama|fakat|tamam|yani|bir de|o zaman)\b"
    r"[\s,]*)+",
    re.IGNORECASE,
)
_WHAT_ABOUT = re.compile(r"\s*(?:(?:what|how) about|what of|ya)\b[\s,]*", re.IGNORECASE)
_PREDICATE = word_set(
    """
is are was were do does did have has had can could will would shall should may might must what which who whom whose
when where why how
ne nedir neler nelerdir kim kimdir kimin kime kimi kimler hangi hangisi kaç kaçta kaçıncı nasıl neden niçin niye nerede
nereye nereden neresi neresidir nerededir mi mı mu mü midir mıdır mudur müdür var yok
"""
)
_POINTING = word_set(
    """
bu şu bunu buna bunun bunda bundan bunlar bunları bunların bunlara şunu şuna şunun o onu ona onun onda ondan onlar
onları onların onlara kendisi burada orada şurada oraya buraya oradan buradan böyle öyle aynı aynısı diğer diğeri
hepsi ikincisi ilki başka
this these those same others ones former latter else such
"""
)
_PERSONS = word_set("he she him her his hers they them their o onu ona onun ondan")
_OWN = word_set("he she they his her hers their theirs its")
_OBJECTS = word_set("it them him")
_PERIODS = word_set("year month week day morning evening quarter season yıl ay hafta gün sabah akşam dönem sezon")
_ASKS_WHO = word_set("who whom whose which kim kimin kimi kime hangi kimler kimdir")
_DEFINITION = re.compile(
    r"(?:what|who) (?:is|are|was|were) (?!the\b).*|.*\b(?:nedir|kimdir|ne demek|ne demektir|nelerdir)",
    re.IGNORECASE,
)


def stand_alone(question: str, before: str, answer: str = "") -> str:
    """Returns ``question`` so that it can be understood without the question ``before`` it.

    A fragment (“And in Turkey?”, “Peki ya Ankara'da?”) takes its place in the question before. A question that
    points back (“When was it introduced?”, “Onu kim onaylıyor?”) or says almost nothing (“Why?”, “Ne zaman ödenir?”)
    is followed by the terms at issue in parentheses. All others stay as they are, and so do long ones.

    Args:
        question: The follow-up.
        before: The question before it, as it stands alone.
        answer: The text of the answer to that: it may name who is meant.
    """
    if len(question) > _LONGEST or len(before) > _LONGEST:
        return question
    rest, opened = _opened(question)
    tokens, old = tokens_of(rest), tokens_of(before)
    if not tokens or not old:
        return question
    if _is_fragment(rest, tokens, opened):
        about = _WHAT_ABOUT.match(rest)
        return put_in_place(rest[about.end() :] if about else rest, before)
    if not _leans_on_before(rest, tokens):
        return question
    carried = content_of(old, tokens, most=_MOST_CARRIED)
    if any(token.plain in _PERSONS for token in tokens) and any(token.plain in _ASKS_WHO for token in old):
        carried = [*names_in(answer[:_LONGEST], (*old, *tokens)), *carried]
    if not carried:
        return question
    return f"{question.strip()} ({' '.join(token.text for token in carried[:_MOST_CARRIED])})"


def _opened(question: str) -> tuple[str, bool]:
    """Returns the question without “and”, “peki” and their like, and whether it had one."""
    opening = _OPENING.match(question)
    return (question[opening.end() :], True) if opening else (question, False)


def _is_fragment(rest: str, tokens: Sequence[Token], opened: bool) -> bool:
    about = _WHAT_ABOUT.match(rest)
    if about:
        tokens = tokens_of(rest[about.end() :])
    if not tokens or len(tokens) > _MOST_IN_FRAGMENT or any(token.plain in _PREDICATE for token in tokens):
        return False
    if not any(token.content for token in tokens):
        return False
    last = tokens[-1]
    hangs = tokens[0].plain in PREPOSITIONS or last.plain == "icin" or (bool(last.suffix) and last.suffix != "s")
    return about is not None or ((opened or hangs) and not _points_back(tokens))


def _leans_on_before(rest: str, tokens: Sequence[Token]) -> bool:
    if _points_back(tokens):
        return True
    content = content_of(tokens, most=2)
    if len(content) != 1:
        return not content
    named = content[0].number or (content[0].capital and content[0] is not tokens[0])
    return not named and _DEFINITION.fullmatch(rest.strip(" ?!.")) is None


def _points_back(tokens: Sequence[Token]) -> bool:
    brief = len(content_of(tokens, most=_BRIEF + 1)) <= _BRIEF
    return any(_points(token, at, tokens, brief=brief) for at, token in enumerate(tokens))


def _points(token: Token, at: int, tokens: Sequence[Token], *, brief: bool) -> bool:
    """Returns whether the word means something that was said before; ``brief``: the question has few words."""
    word = token.plain
    after = tokens[at + 1] if at + 1 < len(tokens) else None
    if word in _POINTING:
        return not (after and any(after.plain.startswith(period) for period in _PERIODS))
    if word in _OWN:
        return len(content_of(tokens[:at], most=2)) <= 1  # “How do employees report their hours?” says itself whose
    if word in _OBJECTS:
        return token.text != "IT" and (brief or not content_of(tokens[:at], most=1))
    if word == "that":
        # After a noun it begins a clause: “documents that expire”.
        return at == 0 or after is None or not tokens[at - 1].content
    if word in ("there", "one"):
        return after is None
    return False
