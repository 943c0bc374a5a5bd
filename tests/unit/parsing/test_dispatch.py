# ruff: noqa: PT017 - a damaged file may be read or refused
from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest
import structlog

from kaynak.domain import UnreadableDocument, UnreadableReason
from kaynak.parsing import ParseLimits, Source, dispatch, media
from kaynak.parsing.dispatch import PARSERS, parse_file, parser_for

DOCUMENTS = "documents"
PICTURES_AND_PDF = {".pdf", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp"}
# The files of these references are of other documents: they share only their name.
MISMATCHED = {"markitdown__test.pptx", "markitdown__test.xls", "markitdown__test.epub"}


@pytest.mark.parametrize(
    "target", sorted({target for target in PARSERS.values() if ".pdf:" not in target and ".ocr:" not in target})
)
def test_every_registered_parser_exists(target) -> None:
    module, _, name = target.partition(":")
    assert hasattr(getattr(import_module(module), name), "parse")


@pytest.mark.parametrize(
    "media_type", [media.SEVEN_ZIP, media.ZIP, media.HEIC, media.AUDIO, media.BINARY, "x/unheard-of"]
)
def test_what_has_no_parser_says_what_to_do(media_type) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        parser_for(media_type)
    assert caught.value.reason is UnreadableReason.UNSUPPORTED_FORMAT
    assert caught.value.hint


class _Broken:
    error: Exception = ValueError("the text of the document")

    def parse(self, source: Source, limits: ParseLimits) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "reason"),
    [(ValueError("private words"), UnreadableReason.CORRUPT), (RecursionError(), UnreadableReason.TOO_COMPLEX)],
)
def test_foreign_errors_are_translated_and_not_quoted(tmp_path: Path, monkeypatch, error, reason) -> None:
    path = tmp_path / "f"
    path.write_text("some text")
    monkeypatch.setattr(_Broken, "error", error)
    monkeypatch.setattr(dispatch, "parser_for", lambda media_type: _Broken())
    with structlog.testing.capture_logs() as logs, pytest.raises(UnreadableDocument) as caught:
        parse_file(Source(path, "f"), ParseLimits())
    assert caught.value.reason is reason
    assert caught.value.__cause__ is error
    assert "private words" not in str(logs) + caught.value.message


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.touch()
    with pytest.raises(UnreadableDocument) as caught:
        parse_file(Source(path, "f.pdf"), ParseLimits())
    assert caught.value.reason is UnreadableReason.EMPTY


def test_too_much_text(read) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        read("a.txt", "word " * 100, limits=ParseLimits(text_chars=100))
    assert caught.value.reason is UnreadableReason.TOO_COMPLEX


def test_the_door_opens_without_heavy_libraries() -> None:
    heavy = "lxml docx pptx openpyxl python_calamine olefile msoffcrypto markdown_it charset_normalizer"
    code = f"import sys, kaynak.parsing, kaynak.parsing.dispatch; print(set({heavy!r}.split()) & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def documents(shared_data: Path) -> list[dict]:
    manifest = shared_data / DOCUMENTS / "manifest.jsonl"
    if not manifest.exists():
        pytest.skip("the shared documents are not here")
    entries = map(json.loads, manifest.read_text().splitlines())
    return [entry for entry in entries if Path(entry["file"]).suffix not in PICTURES_AND_PDF]


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", re.sub(r"<!--.*?-->", "", text, flags=re.S).lower()))


@pytest.mark.data
def test_real_documents_read_like_their_references(read, shared_data: Path) -> None:
    scores = []
    for entry in documents(shared_data):
        path = shared_data / DOCUMENTS / entry["file"]
        expected = shared_data / DOCUMENTS / "expected" / f"{path.name}.md"
        try:
            parsed = read("upload", path.read_bytes())
        except UnreadableDocument as exc:
            assert exc.reason is not UnreadableReason.CORRUPT, path.name
            assert exc.message.endswith(".")
            continue
        if expected.exists() and path.name not in MISMATCHED:
            found, wanted = words(parsed.text), words(expected.read_text())
            scores.append(2 * sum((found & wanted).values()) / (sum(found.values()) + sum(wanted.values())))
    assert len(scores) > 25
    assert sum(scores) / len(scores) > 0.9
    assert min(scores) > 0.6


@pytest.mark.data
def test_damaged_documents_fail_with_a_reason(read, shared_data: Path) -> None:
    chance = random.Random(7)
    for entry in documents(shared_data):
        data = (shared_data / DOCUMENTS / entry["file"]).read_bytes()
        if len(data) > 100_000:
            continue
        for _ in range(3):
            damaged = bytearray(data)
            for _ in range(chance.randint(1, 30)):
                if damaged:
                    damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            cut = damaged[: chance.randrange(len(damaged) + 1)] if chance.random() < 0.3 else damaged
            try:
                read(Path(entry["file"]).name, bytes(cut))
            except UnreadableDocument as exc:
                assert exc.message
