"""What is made of the text of a model: markers in all shapes, Markdown that survives, and nothing that can act."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kaynak.generation.citing.pieces import Marks, Text
from kaynak.generation.citing.reader import AnswerReader
from kaynak.generation.citing.splitting import Splitter

KNOWN = "https://intra.example/leave?team=hr"
HITS = [SimpleNamespace(text=f"See {KNOWN}, or ask.", external_id="a")] * 5


def read(text, cuts=()):
    reader, splitter = AnswerReader(HITS, range(1, 6), "(link removed)"), Splitter()
    shown, sentences = [], []

    def take(pieces):
        for piece in pieces:
            shown.append(piece.text if isinstance(piece, Text) else "".join(f"⟦{label}⟧" for label in piece.labels))
            sentences.extend(splitter.feed(piece))

    begin = 0
    for cut in (*cuts, len(text)):
        take(reader.feed(text[begin:cut]))
        begin = cut
    take(reader.finish())
    sentences += splitter.finish()
    found = [(one.text, tuple(label for mark in one.marks for label in mark.labels)) for one in sentences]
    return SimpleNamespace(
        shown="".join(shown),
        sentences=found,
        claims=[mark.claim for one in sentences for mark in one.marks],
        kinds=[(one.code, one.head) for one in sentences],
        unknown=reader.unknown,
        removed=reader.removed,
    )


FRAGMENTS = st.sampled_from(
    [
        *("Leave is 26 days", " [1]", "[2].", ". ", ".[3] ", "【4】", "【1†source】", "[^5]", " (source 2)", "[1, 3]"),
        *("[1-3]", "[1][2]", "[9]", "[0]", "[", "]", "(", "(see ", ")", "\n", "\n\n", "- ", "1. ", "| a | b |\n"),
        *(
            "|---|---|\n",
            "`",
            "```",
            "~~~",
            "```python\n",
            "x = a[1]",
            "<b>",
            "</b>",
            "<",
            "<!--",
            "-->",
            "<img src=x>",
        ),
        *(
            "![p](",
            "http://evil.example/",
            "https://",
            KNOWN,
            "www.evil.example",
            " ",
            "  ",
            "Prof. ",
            "e.g. ",
            "U.S. ",
        ),
        *("3.5 ", "Neden? ", "“Why?” ", "!", "Ş", "次の。", "İzin 26 gündür. ", "**", "# Head\n", ":", "\\", "|"),
        *("\u202e", "a" * 50),
    ]
)


@pytest.mark.untraced
@settings(max_examples=400, deadline=None)
@given(st.lists(FRAGMENTS, max_size=25).map("".join), st.data())
def test_the_same_text_gives_the_same_answer_however_it_is_cut(text, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=30)))
    assert read(text, cuts) == read(text)
    assert read(text, range(len(text))) == read(text)


@pytest.mark.untraced
@settings(max_examples=400, deadline=None)
@given(st.lists(FRAGMENTS, max_size=25).map("".join))
@example("```![p](\n")
def test_no_text_can_act(text):
    shown = read(text).shown
    outside = re.sub(re.escape(KNOWN), "", shown)
    assert not re.search(r"https?://[\w.]|www\.\w", outside, re.IGNORECASE)
    assert not re.search(r"!\[[^\]]*\]\(", shown)
    assert "\u202e" not in shown


@pytest.mark.parametrize(
    ("written", "shown", "sentences"),
    [
        ("Leave is 26 days [1].", "Leave is 26 days ⟦1⟧.", [("Leave is 26 days.", (1,))]),
        ("Leave is 26 days. [1]", "Leave is 26 days. ⟦1⟧", [("Leave is 26 days.", (1,))]),
        ("A b c.[1] D e f.[2]", "A b c.⟦1⟧ D e f.⟦2⟧", [("A b c.", (1,)), ("D e f.", (2,))]),
        ("A b c.[1]D e f.", "A b c.⟦1⟧D e f.", [("A b c.", (1,)), ("D e f.", ())]),
        ("A [1, 2] b [2][3] c.", "A ⟦1⟧⟦2⟧ b ⟦2⟧⟦3⟧ c.", [("A b c.", (1, 2, 2, 3))]),
        ("A b 【1】 c【2†source】.", "A b ⟦1⟧ c⟦2⟧.", [("A b c.", (1, 2))]),
        ("A b[^1] c (source 2) (Source: 3).", "A b⟦1⟧ c ⟦2⟧ ⟦3⟧.", [("A b c.", (1, 2, 3))]),
        ("A (see documents 1 and 2).", "A ⟦1⟧⟦2⟧.", [("A.", (1, 2))]),
        ("İzin 26 gün (kaynak 2).", "İzin 26 gün ⟦2⟧.", [("İzin 26 gün.", (2,))]),
        ("From [2-4] on [1–2; 5].", "From ⟦2⟧⟦3⟧⟦4⟧ on ⟦1⟧⟦2⟧⟦5⟧.", [("From on.", (2, 3, 4, 1, 2, 5))]),
        ("Gone [9] here [7].", "Gone here.", [("Gone here.", ())]),
        ("In [2023] (1) and day(s) [x] [ ].", "In [2023] (1) and day(s) [x] [ ].", None),
        ("See Dr. Smith [1]. He came at 5 p.m. [2]", None, [("See Dr. Smith.", (1,)), ("He came at 5 p.m.", (2,))]),
        ("[1] says that it is so.", "⟦1⟧ says that it is so.", [("says that it is so.", (1,))]),
        ("First it is.\n\n[2] Then more comes.", None, [("First it is.", ()), ("Then more comes.", (2,))]),
        ("First it is so.\n[2]", None, [("First it is so.", (2,))]),
        ("They do not say [0].", "They do not say⟦0⟧.", [("They do not say.", (0,))]),
    ],
)  # fmt: skip
def test_markers_are_found_in_all_their_shapes(written, shown, sentences):
    found = read(written)
    assert shown is None or found.shown == shown
    assert sentences is None or found.sentences == sentences


def test_lists_tables_headings_and_code_survive():
    text = (
        "## Leave\n\nThere are two kinds:\n- Annual leave, 26 days [1]\n- Sick leave, e.g. for a cold [2].\n\n"
        "| Years | Days |\n|---|---|\n| 5 | 26 [1] |\n\n```python\nx = a[1]  # <b>\nprint(x)\n```\nThat is all `b[2]`."
    )
    found = read(text)
    assert found.shown == text.replace("26 days [1]", "26 days ⟦1⟧").replace("[2].", "⟦2⟧.").replace("26 [1]", "26 ⟦1⟧")
    assert found.sentences == [
        ("## Leave", ()),
        ("There are two kinds:", ()),
        ("- Annual leave, 26 days", (1,)),
        ("- Sick leave, e.g. for a cold.", (2,)),
        ("| Years | Days |", ()),
        ("|---|---|", ()),
        ("| 5 | 26 |", (1,)),
        ("```python\nx = a[1]  # <b>\nprint(x)\n```", ()),
        ("That is all `b[2]`.", ()),
    ]
    assert [kind for kind in found.kinds if any(kind)] == [(False, True), (True, False)]


def test_a_marker_stands_for_what_was_written_before_it():
    found = read("Leave is 26 days a year [1], and notice is given weeks before [2]. So says [3] too. Now [4] it is.")
    assert found.claims == [
        "Leave is 26 days a year",
        ", and notice is given weeks before",
        "So says too.",
        "Now it is.",
    ]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("![x](https://evil.example/p?d=1)", "x"),
        ("![x](" + KNOWN + ")", f"[x]({KNOWN})"),
        ("[click](https://evil.example)", "click"),
        ("[click](javascript:alert(1))", "click"),
        ("[click](/v1/collections)", "click"),
        (f"[form]({KNOWN})", f"[form]({KNOWN})"),
        (f"[form]({KNOWN}&secret=1)", "form"),
        (f"{KNOWN}, or {KNOWN}.", f"{KNOWN}, or {KNOWN}."),
        (f"{KNOWN}&secret=1", "(link removed)"),
        (f"{KNOWN}|secret", f"{KNOWN} |secret"),
        (f"{KNOWN}`secret` {KNOWN}[1]", f"{KNOWN} `secret` {KNOWN} ⟦1⟧"),
        ("HTTPS://EVIL.example/x www.evil.example", "(link removed) (link removed)"),
        ("<https://evil.example/x>", "(link removed)"),
        ('<a href="https://evil.example">x</a>', "x"),
        ("<img src=x onerror=alert(1)>", ""),
        ("<script>alert(1)</script>", "alert(1)"),
        ("a<!-- hidden -->b", "ab"),
        ("x <y and z> 3 < 4", "x < y and z> 3 < 4"),
        ("<<b>script>", "< script>"),
        ("ht<b></b>tp://evil.example/x", "(link removed)"),
        ("ht[9]tp://evil.example/x", "(link removed)"),
        ("h\u200bttp://evil.example/x", "(link removed)"),
        ("[a][b]\n\n[b]: https://evil.example", "[a][b]\n\n[b] : (link removed)"),
        ("[a][b]\n\n[b]: //evil.example/x", "[a][b]\n\n[b] : //evil.example/x"),
        ("[1](//evil.example)", "⟦1⟧ (//evil.example)"),
        ("[text[1]](//evil.example)", "[text⟦1⟧] (//evil.example)"),
        ("`<b> https://evil.example`", "`<b> (link removed)`"),
        ("| `a | <img src=x> ` |", "| `a |  ` |"),
        ("```html\n<img src='//evil.example/x'>\n```", "```html\n<img src='(link removed)'>\n```"),
        ("`` <b>`\n<img src=x>", "`` `\n"),
        ("a<br>b", "a b"),
        ("to hr@intra.example", "to hr@intra.example"),
    ],
)
def test_nothing_that_a_model_writes_can_act(written, shown):
    assert read(written).shown == shown


def test_what_is_taken_out_is_counted():
    found = read("![x](http://evil.example) http://evil.example [a](http://evil.example) [8] [9, 7]")
    assert (found.removed, found.unknown) == (3, 3)


def test_a_sentence_without_an_end_is_cut():
    found = read("word " * 2000)
    assert max(len(text) for text, _ in found.sentences) <= 3000
    assert sum(len(text.split()) for text, _ in found.sentences) == 2000


def test_marks_are_plain_values():
    assert Marks((1,)) == Marks((1,))


_ENDLESS = {
    "empty lines": "\n",
    "spaces": " ",
    "links within links": "[a](",
    "pictures within pictures": "![a](",
    "references": "A word of it [1]. ",
    "code": "`a`b",
    "tags": "<a",
}


@pytest.mark.timeout(60)  # it takes a moment; what grows with the square of the length would take minutes
@pytest.mark.parametrize("piece", _ENDLESS.values(), ids=_ENDLESS)
@pytest.mark.parametrize("at_once", [False, True], ids=["bit by bit", "at once"])
def test_what_a_model_repeats_without_end_keeps_nobody_waiting(piece, at_once):
    reader, splitter = AnswerReader((), (1,), "(removed)"), Splitter()
    times = 40_000 // len(piece)
    for part in [piece * times] if at_once else [piece] * times:
        for one in reader.feed(part):
            splitter.feed(one)
    for one in reader.finish():
        splitter.feed(one)
    splitter.finish()


def test_sentences_go_on_after_much_white_space():
    splitter = Splitter()
    found = splitter.feed(Text("The first one." + "\n" * 5000 + "The second one is here. " * 3 + "x" * 30 + " y"))
    assert [one.text for one in found][:2] == ["The first one.", "The second one is here."]
