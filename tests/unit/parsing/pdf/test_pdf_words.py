from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaynak.parsing.pdf.segments import readable
from kaynak.parsing.pdf.words import Vocabulary, join_lines


@pytest.mark.parametrize(
    ("lines", "joined"),
    [
        (["the infor-", "mation"], "the information"),
        (["a well-", "known fact"], "a well-known fact"),
        (["state-of-the-", "art work"], "state-of-the-art work"),
        (["Anglo-", "Saxon"], "Anglo-Saxon"),
        (["COVID-", "19 cases"], "COVID-19 cases"),
        (["pages 10-", "20"], "pages 10-20"),
        (["soft\u00ad", "ware"], "software"),
        (["a dash -", "and on"], "a dash - and on"),
        (["in\u00adside a line"], "inside a line"),
        (["日本", "語"], "日本語"),
        (["two", "words"], "two words"),
        (["ends with-"], "ends with-"),
        (["çalış-", "ması"], "çalışması"),
    ],
)
def test_line_ends(lines: list[str], joined: str) -> None:
    assert join_lines(lines) == joined


def test_the_document_decides_about_hyphens() -> None:
    vocabulary = Vocabulary(["we co-operate", "they co-operate", "a prelaunch event"])
    assert join_lines(["to co-", "operate"], vocabulary) == "to co-operate"
    assert join_lines(["the pre-", "launch"], vocabulary) == "the prelaunch"


def test_ligatures_and_symbols_become_letters() -> None:
    assert readable("oﬃce ﬁle \uf0b7 x") == "office file • x"
    assert readable("e↵ort") == "effort"
    assert readable("ﻻ") == "لا"


@given(st.lists(st.text(alphabet="ab -é", min_size=1, max_size=8), max_size=6))
def test_joining_loses_no_letters(lines: list[str]) -> None:
    letters = "".join(lines).replace(" ", "").replace("-", "")
    assert join_lines(lines).replace(" ", "").replace("-", "") == letters
