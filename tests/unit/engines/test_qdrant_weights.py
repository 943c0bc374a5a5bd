"""How an index of learnt weights lies in Qdrant."""

from __future__ import annotations

import pytest

from kaynak.domain import CorruptIndex, Unsupported
from kaynak.engines import LexicalSpec
from kaynak.engines.qdrant.spec import WORDS, layout_from, lexical_layout

LEARNT = {"weights": "model"}


def test_it_has_one_sparse_vector_and_no_index_of_words() -> None:
    layout = lexical_layout(LexicalSpec("g1", {**LEARNT, "tenant": "firm"}), {})
    assert layout.shape().sparse == (WORDS,)
    assert [one.key for one in layout.indexes()] == ["document", "terms", "tenant"]
    assert layout_from("g1", layout.header(3)) == layout


def test_it_does_not_depend_on_our_analysis_and_words_do() -> None:
    learnt, words = (lexical_layout(LexicalSpec("g1", params), {}) for params in (LEARNT, {}))
    assert learnt.header(1)["analysis"] == 0
    assert words.header(1)["analysis"] != 0
    # A Kaynak that knows of words alone sees an index that it has to fill anew.
    with pytest.raises(CorruptIndex, match="another version"):
        layout_from("g1", {**learnt.header(1), "params": {}})
    assert not learnt.same(words)


@pytest.mark.parametrize("params", [{"weights": "words"}, {"weights": None}, {**LEARNT, "average_length": 100}])
def test_what_means_nothing_is_refused(params: dict[str, object]) -> None:
    with pytest.raises(Unsupported):
        lexical_layout(LexicalSpec("g1", params), {})  # type: ignore[arg-type]
