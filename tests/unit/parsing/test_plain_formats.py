# ruff: noqa: E501, PT017 - markup is easier to read unbroken; a hostile file may be read or refused
from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kaynak.domain import Outline, UnreadableDocument, UnreadableReason
from kaynak.parsing import media

WORDS = st.text(alphabet=st.characters(categories=["L", "N"], max_codepoint=0x1FFFF), min_size=1, max_size=12)
IN_LOOP = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)


def kinds(parsed) -> list[tuple[str, str, int | None]]:
    return [(block.kind.value, parsed.text[block.start : block.end], block.level) for block in parsed.blocks]


class TestText:
    def test_paragraphs_lists_and_headings(self, read) -> None:
        parsed = read(
            "a.txt",
            "INTRODUCTION\n\nFirst line\nsecond line.\n\n\n  * one\n  * two\n\nTitle\n-----\nBody.\n\nChapter 2\n",
        )
        assert kinds(parsed) == [
            ("heading", "INTRODUCTION", 1),
            ("paragraph", "First line\nsecond line.", None),
            ("list_item", "* one", 1),
            ("list_item", "* two", 1),
            ("heading", "Title", 2),
            ("paragraph", "Body.", None),
            ("heading", "Chapter 2", 1),
        ]

    @IN_LOOP
    @given(text=st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
    def test_no_word_is_lost(self, read, text) -> None:
        content = "\ufeff" + "Words first.\n\n" + text
        try:
            parsed = read("a.txt", content)
        except UnreadableDocument:
            return
        if parsed.media_type == media.TEXT:
            from kaynak.parsing.builder import tidy

            assert [word for word in parsed.text.split() if not set(word) <= set("=-~_*#")] == [
                word for word in tidy(content).split() if not set(word) <= set("=-~_*#")
            ]

    def test_ten_megabytes_on_one_line(self, read) -> None:
        parsed = read("a.txt", "word " * 2_000_000)
        assert len(parsed.text) == 9_999_999
        assert len(parsed.blocks) == 1

    def test_nul_right_to_left_and_astral_characters(self, read) -> None:
        assert read("a.txt", "a\x00b שלום عالم 😀𝒳 e\u0301").text == "ab שלום عالم 😀𝒳 e\u0301"

    def test_invalid_utf8_is_read_with_a_warning(self, read) -> None:
        parsed = read("a.txt", "Şişli'deki şube açık.".encode() + b"\xff")
        assert parsed.text == "Şişli'deki şube açık.\ufffd"
        assert parsed.warnings

    @pytest.mark.parametrize("content", [" \n\t\r\n ", "\ufeff", "\u2028"])
    def test_white_space_alone_is_no_text(self, read, content) -> None:
        with pytest.raises(UnreadableDocument) as caught:
            read("a.txt", content)
        assert caught.value.reason is UnreadableReason.NO_TEXT


class TestMarkdown:
    def test_structure_reads_without_marks(self, read) -> None:
        parsed = read(
            "a.md",
            "---\ntitle: 'Handbook'\nlang: tr\nauthor: Ayşe\ntags: [a, b]\nteams:\n  - x\n  - y\n---\n"
            "# One\n\nSome **bold** `code` and [a link](http://x.y).  \nNext &amp; last\n\n"
            "1. first\n   - inner\n2. second\n\n> quoted\n\n```py\nx = 1\n```\n\n"
            "| a | b |\n|---|---|\n| 1 | 2\\|3 |\n\n## Two\n\n<p>raw <b>html</b></p>\n\n![a picture of it](p.png)\n",
        )
        assert (parsed.title, parsed.language) == ("Handbook", "tr")
        assert parsed.metadata == {"author": "Ayşe", "tags": ["a", "b"], "teams": ["x", "y"]}
        assert kinds(parsed) == [
            ("heading", "One", 1),
            ("paragraph", "Some bold code and a link.\nNext & last", None),
            ("list_item", "1. first", 0),
            ("list_item", "- inner", 1),
            ("list_item", "2. second", 0),
            ("quote", "quoted", None),
            ("code", "x = 1", None),
            ("table", "| a | b |\n| --- | --- |\n| 1 | 2\\|3 |", None),
            ("heading", "Two", 2),
            ("paragraph", "raw html", None),
            ("paragraph", "a picture of it", None),
        ]
        assert Outline(parsed.text, parsed.blocks).path(len(parsed.text)) == ("One", "Two")

    def test_a_rule_is_no_front_matter(self, read) -> None:
        assert "not: yaml [" in read("a.md", "---\nSome prose, not: yaml [\n---\n\nText").text

    def test_items_of_several_paragraphs(self, read) -> None:
        parsed = read("a.md", "- one\n\n  more\n\n- two\n")
        assert [kind for kind, _, _ in kinds(parsed)] == ["list_item", "paragraph", "list_item"]
        assert read("a.md", "# T\n\ntext").title == "T"


class TestDelimited:
    def test_a_short_file_is_a_table(self, read) -> None:
        parsed = read("a.csv", 'name,city\n"Ali, Veli",İzmir\nAyşe,"a ""b"" c"\n')
        assert parsed.text == '| name | city |\n| --- | --- |\n| Ali, Veli | İzmir |\n| Ayşe | a "b" c |'
        assert parsed.media_type == media.CSV

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_a_long_file_is_records_that_name_their_columns(self, read, delimiter) -> None:
        rows = [["name", "city", "note"]] + [[f"person {n}", f"city {n}", "some longer note"] for n in range(100)]
        parsed = read("a.csv", "\n".join(delimiter.join(row) for row in rows))
        assert parsed.text.split("\n")[7] == "name: person 7; city: city 7; note: some longer note"
        assert len(parsed.blocks) == 100

    def test_long_cells_and_ragged_rows(self, read) -> None:
        lines = [f'id {n},"first line\nsecond line",{"x" * 300}' + (",extra" if n == 3 else "") for n in range(20)]
        parsed = read("a.csv", "id,text,long\n" + "\n".join(lines))
        third = parsed.blocks[3]
        assert (
            parsed.text[third.start : third.end] == f"id: id 3\ntext: first line\nsecond line\nlong: {'x' * 300}\nextra"
        )
        assert parsed.warnings

    def test_rows_without_a_header(self, read) -> None:
        parsed = read("a.csv", "\n".join(f"{n},{n * 2},{n * 3}" for n in range(1000)))
        assert "7; 14; 21" in parsed.text.split("\n")
        assert len(parsed.blocks) == 1000

    def test_one_column(self, read) -> None:
        assert len(read("a.csv", "\n".join("line number " + str(n) for n in range(300))).blocks) == 300

    def test_utf16(self, read) -> None:
        assert "Şişli" in read("a.csv", "şube,il\nŞişli,İstanbul\n".encode("utf-16")).text

    @IN_LOOP
    @given(rows=st.lists(st.lists(WORDS, min_size=2, max_size=4), min_size=1, max_size=30))
    def test_every_cell_survives(self, read, rows) -> None:
        out = io.StringIO()
        csv.writer(out).writerows(rows)
        text = read("a.csv", "\ufeff" + out.getvalue()).text
        for row in rows:
            for cell in row:
                assert cell in text


class TestJson:
    def test_objects_become_records_and_sections(self, read) -> None:
        parsed = read(
            "a.json",
            json.dumps({
                "name": "Kaynak", "open": True, "none": None,
                "address": {"city": "Ankara", "lines": ["a", "b"]},
                "people": [{"name": "Ali", "roles": [{"id": 1}, {"id": 2}]}, {"name": "Ayşe"}],
            }),
        )  # fmt: skip
        assert kinds(parsed) == [
            ("list_item", "name: Kaynak; open: true; address.city: Ankara; address.lines: a, b", None),
            ("heading", "people", 1),
            ("list_item", "name: Ali; roles[1].id: 1; roles[2].id: 2", None),
            ("list_item", "name: Ayşe", None),
        ]

    def test_lines(self, read) -> None:
        parsed = read("a.jsonl", '{"a": "one", "b": "' + "x" * 300 + '"}\n{"a": "two"}\nnot json\n')
        assert [kind for kind, _, _ in kinds(parsed)] == ["paragraph", "list_item", "paragraph"]
        assert parsed.warnings == ("1 lines are not JSON; they were kept as plain text.",)

    def test_a_large_object_in_a_list_has_sections(self, read) -> None:
        item = {f"key{n}": "v" for n in range(20)} | {"notes": [{"a": "deep"}]}
        assert ("heading", "notes", 1) in kinds(read("a.json", json.dumps([item])))

    @pytest.mark.parametrize("content", ["42", '"just a string"', "[1, [2, [3]]]"])
    def test_odd_documents(self, read, content) -> None:
        assert read("a.json", content).text

    def test_damaged_json_is_text(self, read) -> None:
        parsed = read("a.json", '{"items": [' + '{"a": "some words"},' * 20_000)
        assert "some words" in parsed.text
        assert parsed.warnings

    @IN_LOOP
    @given(
        value=st.recursive(
            WORDS | st.integers() | st.booleans(),
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
            max_leaves=20,
        )
    )
    def test_every_leaf_survives(self, read, value) -> None:
        def leaves(one):
            if isinstance(one, dict):
                return [leaf for item in one.values() for leaf in leaves(item)]
            if isinstance(one, list):
                return [leaf for item in one for leaf in leaves(item)]
            return [str(one).lower() if isinstance(one, bool) else str(one)]

        wanted = leaves(value)
        if wanted:
            text = read("a.json", json.dumps({"root": value}, ensure_ascii=False)).text
            assert all(leaf in text for leaf in wanted)

    @pytest.mark.parametrize("content", ["[" * 100_000 + "]" * 100_000, '{"a":' * 50_000 + "1" + "}" * 50_000])
    def test_absurd_nesting_is_refused_or_read_as_text(self, read, content) -> None:
        try:
            assert read("a.json", content).text
        except UnreadableDocument as exc:
            assert exc.reason is UnreadableReason.TOO_COMPLEX


def test_notebook(read) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "Words."]},
        {
            "cell_type": "code",
            "source": "print(1)",
            "outputs": [
                {"output_type": "stream", "text": ["1\n"]},
                {"output_type": "display_data", "data": {"image/png": "iVBOR"}},
                {"output_type": "execute_result", "data": {"text/html": "<table><tr><th>a<th>b<tr><td>1<td>2</table>"}},
                {"output_type": "execute_result", "data": {"text/markdown": "*md*"}},
                {"output_type": "error", "ename": "ValueError", "evalue": "no"},
            ],
        },
        {"cell_type": "raw", "source": "raw"},
        {"cell_type": "heading", "level": 2, "source": "Old"},
    ]
    notebook = {"nbformat": 4, "cells": cells, "metadata": {"authors": [{"name": "Ada"}]}}
    parsed = read("n.txt", json.dumps(notebook))
    assert parsed.media_type == media.NOTEBOOK
    assert [text for _, text, _ in kinds(parsed)] == [
        "Title", "Words.", "print(1)", "1", "| a | b |\n| --- | --- |\n| 1 | 2 |", "md", "ValueError: no", "raw", "Old",
    ]  # fmt: skip
    assert (parsed.title, parsed.metadata) == ("Title", {"author": "Ada"})
    old = {"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": "x = 1"}]}]}
    assert read("n.ipynb", json.dumps(old) + " ").text


def test_subtitles(read) -> None:
    parsed = read(
        "a.vtt",
        "WEBVTT - Interview\n\nNOTE a comment\n\n00:01.000 --> 00:02.000 align:start\n<v Ada>We are &amp; here\n\n"
        "00:02.100 --> 00:03.000\n<v Ada><i>now</i>\n\n00:09.000 --> 00:10.000\n<v Bob>Yes.\n",
    )
    assert parsed.title == "Interview"
    assert parsed.text == "Ada: We are & here\nnow\n\nBob: Yes."
    srt = "1\n00:00:01,000 --> 00:00:02,000\nHello\nthere\n\n2\n00:00:20,000 --> 00:00:21,000\nBye\n"
    assert read("a.txt", srt).text == "Hello there\n\nBye"


class TestXml:
    def test_records(self, read) -> None:
        parsed = read("a.xml", "<people><person age='4'><name>Ali</name><city>Ankara</city></person><person/></people>")
        assert parsed.text == "age: 4; name: Ali; city: Ankara"

    def test_prose(self, read) -> None:
        parsed = read(
            "a.xml",
            "<?xml version='1.0'?><doc><title>Doc</title><section><title>Part</title>"
            "<para>Some <b>mixed</b> text &eacute; &undefined;.</para><para>"
            + "Long text. " * 20
            + "</para></section></doc>",
        )
        assert ("heading", "Part", 2) in kinds(parsed)
        assert "Some mixed text é" in parsed.text
        assert parsed.title == "Doc"

    def test_feeds_carry_html(self, read) -> None:
        parsed = read("a.xml", "<rss><item><t>x</t><d>&lt;p&gt;One&lt;/p&gt;&lt;p&gt;Two&lt;/p&gt;</d></item></rss>")
        assert "One" in parsed.text
        assert "<p>" not in parsed.text

    def test_jats(self, read) -> None:
        parsed = read(
            "a.nxml",
            """<!DOCTYPE article><article xml:lang="en"><front><article-meta>
            <article-id pub-id-type="doi">10.1/x</article-id>
            <title-group><article-title>On <i>Springs</i></article-title></title-group>
            <contrib-group><contrib contrib-type="author"><name><surname>Su</surname><given-names>A.</given-names></name>
            </contrib><contrib contrib-type="editor"><collab>E</collab></contrib></contrib-group>
            <aff><label>1</label>Ankara</aff>
            <pub-date><day>3</day><month>7</month><year>2020</year></pub-date>
            <abstract><p>Short.</p></abstract><kwd-group><kwd>water</kwd></kwd-group></article-meta></front>
            <body><sec><label>1</label><title>Methods</title><p>We did<table-wrap><label>Table 1</label><caption><p>Cap</p>
            </caption><table><tr><th>a</th><th>b</th></tr><tr><td colspan="2">c</td></tr></table>
            <table-wrap-foot><p>foot</p></table-wrap-foot></table-wrap> it.</p>
            <list list-type="order"><list-item><p>one</p></list-item></list><fig><label>Fig 1</label></fig>
            <disp-quote><p>q</p></disp-quote><code>x = 1</code><disp-formula>E=m</disp-formula>
            <boxed-text><p>boxed</p></boxed-text></sec></body>
            <back><ref-list><ref><label>1</label><mixed-citation><name><surname>Foley</surname>
            <given-names>J</given-names></name>. <year>2001</year>;<fpage>1</fpage>–<lpage>9</lpage></mixed-citation>
            </ref></ref-list><fn-group><fn><p>note</p></fn></fn-group></back></article>""",
        )
        assert (parsed.title, parsed.language) == ("On Springs", "en")
        assert parsed.metadata == {"author": "A. Su", "created": "2020-07-03", "doi": "10.1/x"}
        texts = [text for _, text, _ in kinds(parsed)]
        assert texts[:6] == ["On Springs", "A. Su", "Ankara", "Abstract", "Short.", "Keywords: water"]
        assert texts[6:10] == ["1 Methods", "We did it.", "Table 1 Cap", "| a | b |\n| --- | --- |\n| c | c |"]
        assert texts[-3:] == ["References", "1 Foley J. 2001; 1–9", "note"]


class TestMarkup:
    def test_asciidoc(self, read) -> None:
        parsed = read(
            "a.adoc",
            "= Doc\n:author: Ada\n\nSome *bold* and https://x.y[a link].\n\n== Part\n\n* one\n** deep\n. first\n\n"
            "[source,py]\n----\nx = 1\n----\n\n.Caption\n|===\n|a |b\n\n|1\n|2\n|===\n\n====\nInside.\n====\n// comment\n"
            "image::x.png[A picture]\n",
        )
        assert (parsed.title, parsed.metadata) == ("Doc", {"author": "Ada"})
        assert kinds(parsed) == [
            ("heading", "Doc", 1),
            ("paragraph", "Some bold and a link.", None),
            ("heading", "Part", 2),
            ("list_item", "- one", 0),
            ("list_item", "- deep", 1),
            ("list_item", "- first", 0),
            ("code", "x = 1", None),
            ("caption", "Caption", None),
            ("table", "| a | b |\n| --- | --- |\n| 1 | 2 |", None),
            ("paragraph", "Inside.", None),
            ("caption", "A picture", None),
        ]

    def test_restructured_text(self, read) -> None:
        parsed = read(
            "a.rst",
            "=====\nTitle\n=====\n\n:author: Ada\n\nIntro with ``code``, :ref:`a place <x>` and `link <u>`_::\n\n    literal\n\n"
            "Part\n----\n\n- one\n\n  more\n- two\n\n.. note:: Careful *now*.\n\n   And this.\n\n.. code-block:: py\n   :linenos:\n\n"
            "   x = 1\n\n.. _target:\n.. [1] A note.\n\n+---+---+\n| a | b |\n+===+===+\n| 1 | 2 |\n+---+---+\n\n"
            "===  ===\nc    d\n===  ===\n3    4\n===  ===\n\nEnd.\n",
        )
        assert (parsed.title, parsed.metadata) == ("Title", {"author": "Ada"})
        texts = [text for _, text, _ in kinds(parsed)]
        assert texts == [
            "Title", "Intro with code, a place and link:", "literal", "Part", "- one", "more", "- two", "Careful now.",
            "And this.", "x = 1", "[1] A note.", "| a | b |\n| --- | --- |\n| 1 | 2 |",
            "| c | d |\n| --- | --- |\n| 3 | 4 |", "End.",
        ]  # fmt: skip
        assert ("heading", "Part", 2) in kinds(parsed)

    def test_org(self, read) -> None:
        parsed = read(
            "a.org",
            "#+TITLE: Notes\n#+AUTHOR: Ada\n\n* TODO Head :tag:\n:PROPERTIES:\n:ID: 1\n:END:\nSome /slanted/ [[http://x][link]].\n"
            "** Sub\n- item\n  1. inner\n#+BEGIN_SRC py\nx = 1\n#+END_SRC\n#+begin_quote\nSaid.\n#+end_quote\n"
            "| a | b |\n|---+---|\n| 1 | 2 |\n# comment\n",
        )
        assert (parsed.title, parsed.metadata) == ("Notes", {"author": "Ada"})
        assert kinds(parsed) == [
            ("heading", "Head", 1),
            ("paragraph", "Some slanted link.", None),
            ("heading", "Sub", 2),
            ("list_item", "- item", 0),
            ("list_item", "1. inner", 1),
            ("code", "x = 1", None),
            ("paragraph", "Said.", None),
            ("table", "| a | b |\n| --- | --- |\n| 1 | 2 |", None),
        ]


class TestRtf:
    def test_structure_and_characters(self, read) -> None:
        parsed = read(
            "a.doc",
            rb"{\rtf1\ansi\ansicpg1254\deff0{\fonttbl{\f0\fcharset162 Arial;}{\f1\fcharset204 Cyr;}}"
            rb"{\info{\title A title}{\author Ada}}{\stylesheet{\s1 heading 1;}}"
            rb"{\pard\s1\outlinelevel0 Head\par}{\pard I\'fe\'fdk \u8364?\u-10179?\u-8704? {\f1\'c4\'e0} a\tab b\line c\par}"
            rb"{\pard{\listtext\bullet\tab}item\par}{\pard{\v hidden}shown{\footnote A note}\par}"
            rb"\trowd\pard\intbl a\cell b\cell\row\trowd\pard\intbl 1\cell 2\cell\row\pard{\*\unknown skipped}"
            rb"end\{\}{\pict 00ff}\par}",
        )
        assert (parsed.media_type, parsed.title, parsed.metadata) == (media.RTF, "A title", {"author": "Ada"})
        assert kinds(parsed) == [
            ("heading", "Head", 1),
            ("paragraph", "Işık €😀 Да a\tb\nc", None),
            ("list_item", "- item", 0),
            ("paragraph", "shown [A note]", None),
            ("table", "| a | b |\n| --- | --- |\n| 1 | 2 |", None),
            ("paragraph", "end{}", None),
        ]

    @pytest.mark.parametrize(
        "content", [b"{\\rtf1 " + b"{" * 100_000, b"{\\rtf1 a}}}}} b", b"{\\rtf1 {\\bin99999 x}ok"]
    )
    def test_unbalanced_groups(self, read, content) -> None:
        try:
            read("a.rtf", content)
        except UnreadableDocument as exc:
            assert exc.reason is UnreadableReason.NO_TEXT
