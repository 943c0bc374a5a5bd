"""All the AQL there is, as templates with holes that only other templates of this file are put into.

Whatever comes from outside, names of collections and attributes included, is bound: ``@value``, ``@@collection``,
``d.@attribute``. Conditions have as many values as a filter asks for, named by number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

WORDS_ANALYZER = "kaynak_words"
"""Cuts a text of our own terms at its spaces, counts them, and knows how many there are."""

TERMS_ANALYZER = "kaynak_terms"
"""Takes a filter term as it is. Without the feature “frequency”, what it matches means nothing for the score."""

Metric = Literal["cosine", "dot", "l2"]


@dataclass(frozen=True, slots=True)
class Query:
    """A statement and what is bound in it."""

    text: str
    binds: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dialect:
    """Conditions on the terms of a record, in one of the two places where AQL has them.

    Attributes:
        one: It has the term {0}.
        some: It has one of the terms {0}.
        between: It has a term from {0} on and before {1}.
    """

    one: str
    some: str
    between: str


FILTER = Dialect(
    one="@{0} IN d.terms",
    some="d.terms ANY IN @{0}",
    # An expression and no subquery: only that is applied during the look-up in a vector index.
    between="LENGTH(d.terms[* FILTER CURRENT >= @{0} AND CURRENT < @{1}]) > 0",
)
SEARCH = Dialect(
    one="d.terms == @{0}",
    some="d.terms IN @{0}",
    between="IN_RANGE(d.terms, @{0}, @{1}, true, false)",
)

ALWAYS, NEVER = "true", "false"


def negated(condition: str) -> str:
    """Returns the opposite of a condition."""
    return f"NOT ({condition})"


def joined(word: Literal["AND", "OR"], conditions: list[str]) -> str:
    """Returns conditions as one."""
    return "(" + f" {word} ".join(conditions) + ")"


# -- of any index

COUNT = "FOR d IN @@collection FILTER {condition} COLLECT WITH COUNT INTO found RETURN found"
COUNT_UP_TO = "FOR d IN @@collection FILTER {condition} LIMIT @most COLLECT WITH COUNT INTO found RETURN found"
# Null comes before all numbers, so that the first page begins there, and what has no id is none of them.
SCAN = "FOR d IN @@collection FILTER d.id > @after SORT d.id LIMIT @page RETURN [d.id, d.document]"
REMOVE = (
    "FOR d IN @@collection FILTER d.document IN @documents FILTER d.id NOT IN @kept"
    " REMOVE d IN @@collection OPTIONS { waitForSync: true }"
)

# -- of vectors

# A vector of zeros has no direction, for which AQL says null.
_COSINE = "NOT_NULL(COSINE_SIMILARITY(d.@vector, @query), 0)"
SCORES: dict[Metric, str] = {
    "cosine": _COSINE,
    # AQL has no function for the dot product, and a loop over the numbers would take many times as long.
    "dot": f"{_COSINE} * d.@norm * @scale",
    "l2": "0 - L2_DISTANCE(d.@vector, @query)",
}
EXACT = (
    "FOR d IN @@collection FILTER {condition} LET score = {score}"
    " SORT score DESC, d.id ASC LIMIT @limit RETURN [d.id, score]"
)

_NEAR: dict[Metric, tuple[str, str]] = {
    "cosine": ("APPROX_NEAR_COSINE", "DESC"),
    "dot": ("APPROX_NEAR_INNER_PRODUCT", "DESC"),
    "l2": ("APPROX_NEAR_L2", "ASC"),
}


def near(metric: Metric, condition: str | None) -> str:
    """Returns the statement for a look-up in a vector index; what it finds is scored as `EXACT` does."""
    function, order = _NEAR[metric]
    matching = f" FILTER {condition}" if condition else ""
    return (
        f"FOR d IN @@collection{matching}"
        f" LET near = {function}(d.@vector, @query, {{ nProbe: @probes }})"
        f" SORT near {order} LIMIT @limit RETURN [d.id, {SCORES[metric]}]"
    )


# -- of words

# A view shows what was written a moment later, unless one waits for it, as a write does at its end.
SYNC = (
    f'FOR d IN @@view SEARCH ANALYZER(d.terms == @term, "{TERMS_ANALYZER}")'
    " OPTIONS { waitForSync: true } LIMIT 1 RETURN 1"
)
# For one term, the cheap count is precise.
_COUNTED = 'OPTIONS { countApproximate: "cost" } COLLECT WITH COUNT INTO found RETURN found'
FREQUENCIES = (
    f'LET total = FIRST(FOR d IN @@view SEARCH ANALYZER(d.terms == @term, "{TERMS_ANALYZER}") {_COUNTED})'
    f" LET counts = (FOR word IN @words RETURN FIRST(FOR d IN @@view SEARCH ANALYZER(d.body == word,"
    f' "{WORDS_ANALYZER}") {_COUNTED}))'
    " RETURN [total, counts]"
)
WORD = "BOOST(d.body == @w{0}, @b{0})"
# All that it reads and returns is in the view itself: a record that was replaced meanwhile is still found as it was.
RANKED = (
    f'FOR d IN @@view SEARCH ANALYZER({{words}}, "{WORDS_ANALYZER}") AND ANALYZER({{condition}}, "{TERMS_ANALYZER}")'
    ' OPTIONS {{ conditionOptimization: "none" }} LET score = BM25(d, @k, @b)'
    " SORT score DESC, d.id ASC LIMIT @limit RETURN [d.id, score]"
)
MATCHED = "FOR d IN @@collection FILTER d._key IN @keys RETURN [d.id, INTERSECTION(SPLIT(d.body, @space), @words)]"
