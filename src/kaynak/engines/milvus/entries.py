"""Entries as rows, with a sparse vector each: of words, or of what a model has learnt of tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kaynak.domain import WEIGHTS, CorruptIndex, InvalidRequest, Unsupported
from kaynak.engines.analysis import ANALYSIS_VERSION
from kaynak.engines.checks import MAX_TOKEN, check_params, check_weighted
from kaynak.engines.milvus.form import Collection, main_collection
from kaynak.engines.milvus.library import DataType
from kaynak.engines.milvus.rows import common_row, common_schema
from kaynak.engines.milvus.spec import strong_of
from kaynak.engines.options import PREFIX
from kaynak.engines.protocol import Entry, LexicalSpec
from kaynak.engines.sparse import USUAL, entry_weights, term_number

SIDE = "Words"
LANGUAGE = "kaynak_language"

MARK = MAX_TOKEN - 2
"""A place in sparse vectors that no query asks for: every row has something there, as Milvus before 2.4.12 refuses
empty vectors."""

_LAST = MAX_TOKEN - 1
"""The last place there is. Milvus keeps the one after it to itself."""


@dataclass(frozen=True, slots=True)
class WordsForm:
    """How one lexical index lies in Milvus.

    Attributes:
        name: Of the index.
        weighted: Whether it holds learnt weights in place of words.
        strong: See `Form`.
        average: Terms of a usual entry, once there was one.
        prefix: Of the names of its collections.
    """

    name: str
    weighted: bool
    strong: bool
    average: float | None
    prefix: str = PREFIX

    @property
    def main(self) -> str:
        """See `Form.main`."""
        return main_collection(self.prefix, self.name, SIDE)

    @property
    def collections(self) -> tuple[str, ...]:
        """See `Form.collections`."""
        return (self.main,)

    @property
    def blank(self) -> Mapping[str, Any]:
        """See `Form.blank`."""
        return {"vector": {MARK: 1.0}}

    def stored(self) -> str:
        """See `Form.stored`."""
        analysis = 0 if self.weighted else ANALYSIS_VERSION
        kept = {"weighted": self.weighted, "strong": self.strong, "average": self.average, "analysis": analysis}
        return json.dumps(kept, sort_keys=True)

    def with_average(self, average: float) -> WordsForm:
        """Returns it with its usual length of an entry."""
        return replace(self, average=average)

    def fits(self, spec: LexicalSpec, other: WordsForm) -> bool:
        """Returns whether this is an index of ``spec``, of which ``other`` is the form with defaults of today."""
        return (
            self.weighted == other.weighted
            and ("consistency" not in spec.params or self.strong == other.strong)
            and ("average_length" not in spec.params or self.average == other.average)
        )


def form_of(spec: LexicalSpec, *, replicas: int = 1, prefix: str = PREFIX) -> WordsForm:
    """Checks a specification.

    Raises:
        Unsupported: A parameter it does not know.
    """
    check_params(spec, (WEIGHTS, "average_length", "consistency"))
    weighted, average = check_weighted(spec), spec.params.get("average_length")
    if average is not None:
        if weighted:
            raise Unsupported(f"average_length means nothing with {WEIGHTS}.")
        if not isinstance(average, int | float) or isinstance(average, bool) or not 1 <= average <= 100_000:
            raise Unsupported("average_length must be a number from 1 to 100,000.")
        average = float(average)
    return WordsForm(spec.name, weighted, strong_of(spec.params, replicas), average, prefix)


def form_from(name: str, stored: str, prefix: str = PREFIX) -> WordsForm:
    """Returns the form of an existing index from what is kept with it.

    Raises:
        CorruptIndex: Its words were analysed by another version.
    """
    kept = json.loads(stored)
    if not kept["weighted"] and kept["analysis"] != ANALYSIS_VERSION:
        raise CorruptIndex(f"The words of index “{name}” were analysed by another version.")
    return WordsForm(name, kept["weighted"], kept["strong"], kept["average"], prefix)


def collections_of(form: WordsForm, *, words: bool) -> list[Collection]:
    """Returns the collection that a lexical index needs."""
    schema = common_schema(words=words)
    schema.add_field("vector", DataType.SPARSE_FLOAT_VECTOR)
    return [Collection(form.main, schema, "SPARSE_INVERTED_INDEX", "IP", {})]


def rows_of(form: WordsForm, entries: Sequence[Entry], *, words: bool) -> list[dict[str, Any]]:
    """Returns the rows of entries.

    Raises:
        InvalidRequest: A payload is more than Milvus takes, or a token has a number that it has not.
    """
    return [_row(form, one, words=words) for one in entries]


def _row(form: WordsForm, entry: Entry, *, words: bool) -> dict[str, Any]:
    row = common_row(entry, words=words)
    if form.weighted:
        weights = places_of(entry.weights or {})
    else:
        weights = entry_weights(entry, form.average or USUAL, place_of)
        row[LANGUAGE] = entry.language or ""
    row["vector"] = weights or {MARK: 1.0}
    return row


def place_of(term: str) -> int:
    """Returns the place of a term in sparse vectors."""
    return min(term_number(term), MARK - 1)


def places_of(weights: Mapping[int, float]) -> dict[int, float]:
    """Returns weights of tokens by their places: the last token has the last place, the two before it have none.

    Raises:
        InvalidRequest: One of those two is among them.
    """
    for token in (MARK, _LAST):
        if token in weights:
            raise InvalidRequest(
                f"Milvus has no place for token {token:,}.", hint="It takes all but the last but one and but two."
            )
    return {min(int(token), _LAST): float(weight) for token, weight in weights.items()}
