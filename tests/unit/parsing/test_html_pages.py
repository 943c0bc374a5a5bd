# ruff: noqa: E501 - markup is easier to read unbroken
from __future__ import annotations

import pytest

from kaynak.domain import UnreadableDocument, UnreadableReason


def kinds(parsed) -> list[tuple[str, str, int | None]]:
    return [(block.kind.value, parsed.text[block.start : block.end], block.level) for block in parsed.blocks]


PAGE = """<!DOCTYPE html><html lang="tr-TR"><head><title>A &amp; B</title><style>p {color: red}</style>
<meta name="author" content="Ada"><meta name="keywords" content="x, y"><script>var secret = 1;</script></head>
<body><nav><a href="/">Home</a></nav><div class="breadcrumbs"><a href="/a">Up</a></div>
<h1>Main  heading</h1><p>One <b>bold</b>, <a href="http://x">a link</a>&nbsp;and<br>a break.<script>alert(1)</script></p>
<ul><li>first<ol start="3"><li>inner</li><li><p>next</p></li></ol></li><li>second</li></ul>
<pre>def f():
    return 1</pre><blockquote><p>Said.</p></blockquote>
<table><caption>Cap</caption><thead><tr><th>a</th><th>b</th><th>c</th></tr></thead>
<tbody><tr><td rowspan="2">1</td><td colspan="2">2</td></tr><tr><td>3</td><td>4|5</td></tr></tbody></table>
<p style="display:none">hidden</p><p hidden>hidden</p><img src="http://evil/x.png" alt="A picture of it">
<dl><dt>term</dt><dd>meaning</dd></dl><button>Press</button><footer>Copyright</footer></body></html>"""


def test_a_page(read) -> None:
    parsed = read("a.html", PAGE)
    assert (parsed.title, parsed.language) == ("A & B", "tr")
    assert parsed.metadata == {"author": "Ada", "keywords": "x, y"}
    assert kinds(parsed) == [
        ("heading", "Main heading", 1),
        ("paragraph", "One bold, a link and\na break.", None),
        ("list_item", "- first", 0),
        ("list_item", "3. inner", 1),
        ("list_item", "4. next", 1),
        ("list_item", "- second", 0),
        ("code", "def f():\n    return 1", None),
        ("quote", "Said.", None),
        ("caption", "Cap", None),
        ("table", "| a | b | c |\n| --- | --- | --- |\n| 1 | 2 | 2 |\n| 1 | 3 | 4\\|5 |", None),
        ("paragraph", "A picture of it", None),
        ("paragraph", "term", None),
        ("paragraph", "meaning", None),
    ]


def test_the_marked_content_is_taken(read) -> None:
    words = "The content of the page stands here. " * 10
    text = read("a.html", f"<html><body><div>Subscribe now</div><main><p>{words}</p></main></body></html>").text
    assert text == words.strip()


def test_a_page_of_navigation_is_kept_whole(read) -> None:
    assert read("a.html", "<html><body><nav><a href=x>Only this</a></nav></body></html>").text == "Only this"


def test_tables_for_layout_are_walked(read) -> None:
    markup = "<html><body><table><tr><td><h2>Left</h2><p>text</p></td><td><p>right</p></td></tr></table></body></html>"
    assert [text for _, text, _ in kinds(read("a.html", markup))] == ["Left", "text", "right"]
    assert read("a.html", "<html><table role=presentation><tr><td>a<td>b</table></html>").text == "a\n\nb"


@pytest.mark.parametrize(
    "markup",
    [
        "<html><p>one<p>two<b>three</p><table><tr><td>x</html>",
        "<html><body>" + "<div>" * 2_000 + "deep" + "</div>" * 2_000,
        "<html><body>" + "<blockquote><ul><li>" * 600 + "deep",
        "<html><body><table>" + "<tr><td colspan=999999999 rowspan=99999999>deep<td>b</tr>" * 50 + "</table>",
        "<html><body>" + "<table><tr><td>" * 500 + "deep",
        "<html><body><p>a&#0;b&#xD800;c&#55&nosuch; deep",
    ],
)
def test_bad_markup_is_read(read, markup) -> None:
    text = read("a.html", markup).text
    assert text
    assert len(text) < 1_000_000


def test_absurd_nesting_is_refused(read) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        read("a.html", "<html><body>" + "<div>" * 50_000 + "deep")
    assert caught.value.reason is UnreadableReason.TOO_COMPLEX


def test_declared_encodings(read) -> None:
    markup = '<html><head><meta charset="windows-1254"></head><body><p>ışık ğ</p></body></html>'
    assert read("a.html", markup.encode("cp1254")).text == "ışık ğ"
    utf16 = "<html><body>日本語のページ</body></html>".encode("utf-16")
    assert read("a.doc", utf16).text == "日本語のページ"


def test_xhtml_closes_elements_at_once(read) -> None:
    markup = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body><a id="x"/><p>text</p></body></html>'
    assert read("a.xhtml", markup).text == "text"


def test_a_page_without_text(read) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        read("a.html", "<html><body><script>x</script><img src=x></body></html>")
    assert caught.value.reason is UnreadableReason.NO_TEXT
