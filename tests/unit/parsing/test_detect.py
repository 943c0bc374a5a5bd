from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from kaynak.domain import UnreadableDocument, UnreadableReason
from kaynak.parsing import detect, media


def zipped(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def office(folder: str, part: str = "document.xml") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(f"{folder}/{part}", "<x/>")
    return buffer.getvalue()


BINARY = [
    (b"%PDF-1.7\n...", media.PDF),
    (b"\xef\xbb\xbf\n%PDF-1.4 ...", media.PDF),
    (b"\x89PNG\r\n\x1a\n....", media.PNG),
    (b"\xff\xd8\xff\xe0....", media.JPEG),
    (b"II*\x00....", media.TIFF),
    (b"RIFF\x00\x00\x00\x00WEBPVP8 ", media.WEBP),
    (b"RIFF\x00\x00\x00\x00WAVEfmt ", media.AUDIO),
    (b"GIF89a......", media.GIF),
    (b"BM\x00\x00\x00\x00\x00\x00\x00\x00" + bytes(40), media.BMP),
    (b"\x00\x00\x00\x18ftypheic....", media.HEIC),
    (b"\x00\x00\x00\x18ftypmp42....", media.VIDEO),
    (b"{\\rtf1\\ansi hello}", media.RTF),
    (b"\x7fELF\x02\x01", media.EXECUTABLE),
    (b"MZ\x90\x00\x03\x00", media.EXECUTABLE),
    (b"SQLite format 3\x00....", media.SQLITE),
    (b"7z\xbc\xaf\x27\x1c....", media.SEVEN_ZIP),
    (b"Rar!\x1a\x07\x00....", media.RAR),
    (b"\x1f\x8b\x08....", media.GZIP),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", media.OLE),
    (b"PK\x03\x04 damaged", media.ZIP),
    (zipped(a="text"), media.ZIP),
    (office("word"), media.DOCX),
    (office("ppt"), media.PPTX),
    (office("xl"), media.XLSX),
    (office("xl", "workbook.bin"), media.XLSB),
    (zipped(mimetype=media.ODT), media.ODT),
    (zipped(mimetype=media.ODS + "-template"), media.ODS),
    (zipped(mimetype="application/epub+zip"), media.EPUB),
    (zipped(**{"META-INF__container.xml": "<container/>"}), media.EPUB),
    (zipped(**{"Index__Document.iwa": "x"}), media.PAGES),
    (bytes(range(256)) * 20, media.BINARY),
]

TEXTS = [
    ("Just some words.", media.TEXT),
    ("<!DOCTYPE html><html><body>x</body></html>", media.HTML),
    ("  <!-- a comment -->\n<HTML><p>x</HTML>", media.HTML),
    ('<?xml version="1.0"?><!-- c -->\n<!DOCTYPE html><html><p>x</p></html>', media.HTML),
    ("<div><p>fragment</p></div>", media.HTML),
    ('<?xml version="1.0"?><data><a>1</a></data>', media.XML),
    ("<data><a>1</a></data>", media.XML),
    ("a < b and c > d are comparisons", media.TEXT),
    ('{"a": 1}', media.JSON),
    ('[1, 2, {"a": null}]', media.JSON),
    ('{"a": 1}\n{"a": 2}\n', media.JSONL),
    ('{"cells": [], "nbformat": 4}', media.NOTEBOOK),
    ('{"a": 1, "b": [', media.TEXT),
    ("[Note] this is a sentence", media.TEXT),
    ("From: a@b.c\nTo: d@e.f\nSubject: x\n\nbody", media.EML),
    ("Received: from x\n by y\nMessage-ID: <1>\nSubject: z\n\nbody", media.EML),
    ("From: my point of view this is fine.\n\nTo: nobody", media.TEXT),
    ("WEBVTT\n\n00:01.000 --> 00:02.000\nHi", media.VTT),
    ("1\n00:00:01,000 --> 00:00:02,000\nHi\n", media.SRT),
    ("# Title\n\n## Part\n\n- item\n", media.MARKDOWN),
    ("See [this](https://a.b/c).\n\n```python\nx\n```\n", media.MARKDOWN),
    ("Title\n=====\n\n.. note:: careful\n", media.RST),
    ("#+TITLE: x\n* Head\n", media.ORG),
    ("= Title\n:toc:\n\n== Part\n", media.ASCIIDOC),
    ("name,age,city\nali,4,izmir\nayşe,5,bursa\n", media.CSV),
    ("name\tage\tcity\nali\t4\tizmir\nayşe\t5\tbursa\n", media.TSV),
]


@pytest.mark.parametrize(("content", "expected"), BINARY)
@pytest.mark.parametrize("name", ["file", "file.txt", "file.pdf", "file.html"])
def test_binary_formats_are_known_whatever_they_are_called(tmp_path: Path, content, expected, name) -> None:
    path = tmp_path / "f"
    path.write_bytes(content)
    assert detect(path, name) == expected


@pytest.mark.parametrize(("content", "expected"), TEXTS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_formats_are_known_without_a_name(tmp_path: Path, content, expected, encoding) -> None:
    path = tmp_path / "f"
    path.write_bytes(content.encode(encoding))
    assert detect(path, "f") == expected


@pytest.mark.parametrize(
    ("content", "expected"), [pair for pair in TEXTS if pair[1] in {media.HTML, media.XML, media.JSON, media.EML}]
)
def test_a_wrong_extension_does_not_matter(tmp_path: Path, content, expected) -> None:
    path = tmp_path / "f"
    path.write_text(content)
    assert {detect(path, name) for name in ("a.doc", "a.pdf", "a.txt", "a.md", "a.csv")} == {expected}


@pytest.mark.parametrize(
    ("name", "claimed", "expected"),
    [
        ("a.md", None, media.MARKDOWN),
        ("a.csv", None, media.CSV),
        ("a.rst", "text/markdown", media.RST),
        ("a", "text/markdown; charset=utf-8", media.MARKDOWN),
        ("a.html", None, media.TEXT),
        ("a.eml", None, media.TEXT),
        ("a.pdf", "application/pdf", media.TEXT),
    ],
)
def test_names_and_claims_decide_between_texts_that_look_alike(tmp_path: Path, name, claimed, expected) -> None:
    path = tmp_path / "f"
    path.write_text("Some words, and no marks.")
    assert detect(path, name, claimed) == expected


def test_an_empty_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.touch()
    with pytest.raises(UnreadableDocument) as caught:
        detect(path, "f.pdf")
    assert caught.value.reason is UnreadableReason.EMPTY


def test_a_sample_that_ends_inside_a_character(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" + "ş".encode() * 100_000)
    assert detect(path, "f") == media.TEXT


def test_long_json_is_known_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text('{"items": [' + ",".join(['{"a": "' + "x" * 100 + '"}'] * 2000) + "]}")
    assert detect(path, "f") == media.JSON
