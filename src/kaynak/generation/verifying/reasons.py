"""What was found wrong, in a person's words."""

from __future__ import annotations

from collections.abc import Iterator

from kaynak.generation.comparing import Comparison, Fault

_MOST = 3
_LEAST = {
    "name_swap": 0.2,
    "name_slot": 0.35,
    "number_slot": 0.35,
    "roles": 0.15,
    "number_swap": 0.2,
    "opposite": 0.2,
    "negation": 0.2,
    "unnegated": 0.2,
}
"""How much of a doubt is worth a word."""
_SWAP = 0.2
_WORDS = {
    "en": {
        "gone": "“{anchor}” is not in the source.",
        "other": "“{anchor}” is not in the source, which says “{other}”.",
        "swap": "The source seems to say this of “{other}”, not of “{anchor}”.",
        "slot": "The source says this, but not of “{anchor}”.",
        "roles": "“{anchor}” and “{other}” seem to be exchanged.",
        "opposite": "It says “{anchor}” where the source says “{other}”.",
        "negation": "It is negated (“{anchor}”), and the source is not.",
        "unnegated": "The source negates this (“{anchor}”).",
        "words": "Not in the source: {words}.",
        "meaning": "The source does not say this.",
    },
    "tr": {
        "gone": "“{anchor}” kaynakta yok.",
        "other": "“{anchor}” kaynakta yok; kaynak “{other}” diyor.",
        "swap": "Kaynak bunu “{anchor}” için değil, “{other}” için söylüyor gibi görünüyor.",
        "slot": "Kaynak bunu söylüyor, ama “{anchor}” için değil.",
        "roles": "“{anchor}” ile “{other}” yer değiştirmiş görünüyor.",
        "opposite": "Kaynak “{other}” derken burada “{anchor}” deniyor.",
        "negation": "Burada olumsuz (“{anchor}”), kaynakta değil.",
        "unnegated": "Kaynakta bu olumsuz (“{anchor}”).",
        "words": "Kaynakta olmayanlar: {words}.",
        "meaning": "Kaynak bunu söylemiyor.",
    },
}
_KINDS = {"name_swap": "swap", "number_swap": "swap", "name_slot": "slot", "number_slot": "slot"}


def reasons_of(comparison: Comparison, language: str) -> tuple[str, ...]:
    """Returns why a sentence is not borne out, the gravest first, in English or Turkish."""
    words = _WORDS.get(language, _WORDS["en"])
    found = list(dict.fromkeys(_faults(comparison, words)))[:_MOST]
    if not found and comparison.missing:
        listed = ", ".join(f"“{word}”" for word in comparison.missing[:_MOST])
        found.append(words["words"].format(words=listed))
    return tuple(found) or (words["meaning"],)


def _faults(comparison: Comparison, words: dict[str, str]) -> Iterator[str]:
    swapped = {fault.anchor for fault in comparison.faults if "swap" in fault.feature and fault.amount >= _SWAP}
    for fault in sorted(comparison.faults, key=_gravity):
        if "slot" in fault.feature and fault.anchor in swapped:
            continue  # it is said what stands there instead
        if fault.feature in ("number", "date", "name"):
            kind = "other" if fault.other else "gone"
        elif fault.amount < _LEAST.get(fault.feature, _SWAP):
            continue
        else:
            kind = _KINDS.get(fault.feature, fault.feature)
        yield words[kind].format(anchor=fault.anchor, other=fault.other)


def _gravity(fault: Fault) -> tuple[int, float]:
    return (0 if fault.feature in ("number", "date", "name") else 1, -fault.amount)
