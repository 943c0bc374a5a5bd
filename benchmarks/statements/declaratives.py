"""Questions and their answers as statements, and sentences said another way: by rules, in English and Turkish."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_DONE = r"[\w-]+ed|known|shown|grown|built|held|found|born|written|made|spoken|chosen|taken|given|seen|led|won|sent"
_THING = r"(?:the |a |an )?[\w'’ .-]+?"
_WHAT = r"(?:what|which)"
_PAST = r"(?!did|does|do\b)[\w'-]+ed|has|had|have|can|led|won|made|wrote|became|built|began|took|gave|holds|owns|runs"
_WHEN = rf"(?:when|in {_WHAT} (?:year|month|century|decade)|what year)"
_BEGAN = (
    r"(begin|end|start|become|move|win|build|open|die|arrive|take|leave|establish|publish|create|join|discover|defeat|"
    r"invade|sign|lose|occur|happen|settle|conquer|enter|capture)"
)
_NOT_IN_A_NAME = r"(?!called|known|named|displayed|used|that|who|which|like|for|doing|about|by)"
_YEAR = r"\d{3,4}s?$|.*century$"
# (form of the question, the statement, what the answer must look like); {a} is the answer, {b} without its preposition.
_ENGLISH = (
    (rf"(?:who|{_WHAT} [\w-]+(?: (?!is|are|was|were)[\w-]+)?|what) ({_PAST}) (.+)", r"{a} \1 \2", ""),
    (r"who ((?:was|is|were|are) the .+)", r"{a} \1", ""),
    (rf"{_WHEN} (was|were) ({_THING}) ({_DONE})\b((?!.*\b(?:{_DONE})\b).*)", r"\2 \1 \3\4 in {b}", _YEAR),
    (rf"{_WHEN} did ({_THING}) {_BEGAN}\b(.*)", r"\1 did \2\3 in {b}", _YEAR),
    (r"how many ([\w -]+?) (are|were) (?:there )?((?:in|on|at|within) .+)", r"There \2 {b} \1 \3", r"[\d.,]+$|[a-z]+$"),
    (
        rf"(in|to|at|on|from|of|by|with) {_WHAT} [\w-]+ (was|is|were|are) ({_THING}) ({_DONE}|located)\b(.*)",
        r"\3 \2 \4\5 \1 {b}",
        "",
    ),
    (rf"where (was|is|were|are) ({_THING}) ({_DONE}|located)\b(.*)", r"\2 \1 \3\4 in {b}", r"[A-Z]"),
    (rf"what (is|was|are|were) (the (?:{_NOT_IN_A_NAME}[\w'’-]+ ?){{1,9}})", r"\2 \1 {a}", ""),
    (rf"what (?:is|was) ({_THING}) (called|known as|named)(.*)", r"\1 is \2\3 {a}", ""),
)
_TURKISH = (
    (r"kim tarafından", "{a} tarafından", r"[^\W\d_]"),
    (r"(?:kaç|hangi) (yılında|yılından|yılına|yıllarında|yılları)", r"{a} \1", r"[\d– -]+$"),
    (r"hangi (?:yılda|yıl|tarihte)", "{a} yılında", r"\d+$"),
    (r"kaç (\w+)", r"{a} \1", r"[\d.,]+$"),
    (r"ne zaman", "{a}", r".*(?:[dt][ae]|yılı\w*)$"),
    (r"nerede|nereye|nereden", "{a}", r".*['’](?:[dt][ae]n?|y?[ae])$"),
    (r"kimdir|nedir", ": {a}", ""),
)
_ASKS_MORE = re.compile(
    r"\b(?:what|which|who|whom|how|kim|kaç|hangi|nedir|nasıl|neden|nerede|nerelerde)\b", re.IGNORECASE
)


def declared(question: str, answer: str, language: str) -> str | None:
    """Returns a question and its answer as one statement; None where no rule is sure to make a good one."""
    question = " ".join(question.replace("?", " ").split())
    answer = " ".join(answer.strip(" .,;").split())
    if not 0 < len(answer.split()) <= 8 or len(question.split()) < 4:
        return None
    made = _english(question, answer) if language == "en" else _turkish(question, answer)
    if made is None or _ASKS_MORE.search(made.replace(answer, "")):
        return None
    return _sentence(made)


def _english(question: str, answer: str) -> str | None:
    bare = re.sub(r"^(?:in|on|at|by|around|since|from|during)\s+", "", answer, flags=re.IGNORECASE)
    for form, statement, look in _ENGLISH:
        match = re.fullmatch(form, question, re.IGNORECASE)
        if match is not None:
            return _filled(match.expand(statement), answer, bare) if re.match(look, bare) else None
    return None


def _turkish(question: str, answer: str) -> str | None:
    for form, statement, look in _TURKISH:
        match = re.search(rf"\b(?:{form})(?!\w)", question, re.IGNORECASE)
        if match is not None:
            if not re.match(look, answer):
                return None
            put = _filled(match.expand(statement), answer, answer)
            return " ".join(f"{question[: match.start()]}{put}{question[match.end() :]}".split()).replace(" :", ":")
    return None


def _filled(statement: str, answer: str, bare: str) -> str:
    return statement.replace("{a}", answer).replace("{b}", bare)


def _sentence(text: str) -> str:
    text = " ".join(text.split()).strip(" .")
    return f"{text[0].upper()}{text[1:]}."


def reworded(sentences: Sequence[str], language: str, rng: random.Random) -> Iterator[str]:
    """Yields other ways to say what sentences of a passage say, in their order."""
    for at, sentence in enumerate(sentences):
        made = [one for one in (_without_aside(sentence), _moved(sentence), _respelled(sentence, language)) if one]
        if made:
            yield rng.choice(made)
        if at + 1 < len(sentences) and len(sentence) + len(sentences[at + 1]) < 300 and rng.random() < 0.3:
            yield f"{sentence.rstrip('.')}{', and' if language == 'en' else ' ve'} {_continued(sentences[at + 1])}"


def _continued(sentence: str) -> str:
    first = sentence.split()[0]
    small = first in {"The", "This", "In", "It", "He", "She", "They", "These", "A", "Bu", "Bir", "O", "Daha"}
    return sentence[0].lower() + sentence[1:] if small else sentence


def _without_aside(sentence: str) -> str | None:
    """Returns the sentence without brackets, an introductory phrase, or a relative clause."""
    opening = r"^(?:In|On|At|During|After|Before|By|For|With|From|However|Moreover|Also|Today|Originally)\b[^,]{0,60}, "
    made = re.sub(r"\s*\([^()]*\)", "", sentence)
    made = re.sub(opening, "", made)
    made = re.sub(r", (?:which|who|where)\b[^,.;]+(?=[.,;])", "", made).strip()
    return made[0].upper() + made[1:] if made and made != sentence and len(made.split()) > 5 else None


def _moved(sentence: str) -> str | None:
    """Returns the sentence with its introductory phrase at its end."""
    match = re.fullmatch(r"((?:In|On|At|During|After|Before|By) [^,]{3,60}), ([^\d,;:][^,;:]+)\.", sentence)
    return match and f"{match[2][0].upper()}{match[2][1:]} {match[1][0].lower()}{match[1][1:]}."


_SPELLED = {
    "en": "two:2 three:3 four:4 five:5 six:6 seven:7 eight:8 nine:9 ten:10 twelve:12 twenty:20 thirty:30 fifty:50",
    "tr": "iki:2 üç:3 dört:4 beş:5 altı:6 yedi:7 sekiz:8 dokuz:9 yirmi:20",
}
_DIGITS = {language: dict(pair.split(":") for pair in pairs.split()) for language, pairs in _SPELLED.items()}


def _respelled(sentence: str, language: str) -> str | None:
    """Returns the sentence with its numbers or dates written another way."""
    made = re.sub(rf"\b(\d{{1,2}}) ({_MONTHS}) (\d{{4}})", r"\2 \1, \3", sentence)
    if made == sentence:
        made = re.sub(rf"\b({_MONTHS}) (\d{{1,2}}), (\d{{4}})", r"\2 \1 \3", made)
    grouped = (
        r"(?<![\d.,])(\d{1,3}),(\d{3})\b(?![,.]\d)"
        if language == "en"
        else r"(?<![\d.,])(\d{1,3})\.(\d{3})\b(?![,.]\d)"
    )
    made = re.sub(grouped, r"\1\2", made)
    made = re.sub(r"(\d)%", r"\1 percent", made) if language == "en" else re.sub(r"%\s?(\d+)", r"yüzde \1", made)
    # Not parts of longer numbers: twenty-three, on yedi.
    part = "(?:on|yirmi|otuz|kırk|elli|altmış|yetmiş|seksen|doksan|yüz|bin)"
    whole = rf"(?<!-)(?<!\bon )\b({'|'.join(_DIGITS[language])})\b(?!-| {part}| hundred| thousand| million)"
    made = re.sub(whole, lambda match: _DIGITS[language][match[1]], made)
    return made if made != sentence else None
