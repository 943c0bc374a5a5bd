from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaynak.domain import UnreadableDocument, UnreadableReason
from kaynak.parsing.encodings import decode, known_encoding

SAMPLES = {
    "cp1254": "Çalışanların yıllık izin hakkı, işe giriş tarihinden başlayarak hesaplanır. Öğle arası bir saattir; "
    "ığdır'da şubemiz yoktur. Güneşli günlerde dışarıda çalışılır.",
    "cp1252": "Die schöne Frau aß Käse für fünf Euro. L'été, le café déjà payé; señor, mañana será otro día.",
    "shift_jis": "日本語の文書です。会議は東京で行われます。資料を確認してください。よろしくお願いします。",
    "gb18030": "这是一份中文文件。会议将在北京举行。请查看附件中的资料。谢谢您的合作。我们期待您的回复。",
    "koi8-r": "Это русский документ. Совещание состоится в Москве. Пожалуйста, ознакомьтесь с материалами.",
    "cp1251": "Это русский документ. Совещание состоится в Москве. Пожалуйста, ознакомьтесь с материалами.",
    "iso-8859-8": "זהו מסמך בעברית. הישיבה תתקיים בירושלים. אנא עיינו בחומר המצורף. תודה רבה לכם.",
    "cp1253": "Αυτό είναι ένα ελληνικό έγγραφο. Η συνάντηση θα γίνει στην Αθήνα την Τρίτη.",
}


@pytest.mark.parametrize("encoding", SAMPLES)
def test_legacy_encodings_are_guessed(encoding) -> None:
    decoded = decode(SAMPLES[encoding].encode(encoding))
    assert decoded.text == SAMPLES[encoding]
    assert decoded.warning


@pytest.mark.parametrize("encoding", [*SAMPLES, "euc-jp", "big5"])
def test_a_declared_encoding_is_used(encoding) -> None:
    text = SAMPLES.get(encoding, "日本")
    decoded = decode(text.encode(encoding), encoding)
    assert decoded.text == text
    assert decoded.warning is None


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00\ufeff"), max_size=200))
def test_unicode_with_a_mark_is_read_exactly(text) -> None:
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        assert decode(text.encode(encoding)).text == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", ["Plain words in Latin letters, and a line.\n", "Yıllık izin on dört gündür.\n"])
def test_wide_encodings_without_a_mark(encoding, text) -> None:
    assert decode(text.encode(encoding)).text == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_wide_encodings_of_another_script(encoding) -> None:
    text = "Это русский документ с пробелами между словами.\n" * 3
    assert decode(text.encode(encoding)).text == text


def test_broken_utf8_is_salvaged_with_a_warning() -> None:
    decoded = decode("Çalışma saatleri değişti".encode() + b"\xff\xfe ve bitti".replace(b"\xfe", b""))
    assert decoded.text.startswith("Çalışma saatleri değişti\ufffd")
    assert "UTF-8" in (decoded.warning or "")


def test_a_wrong_declaration_does_not_matter() -> None:
    assert decode("şğı".encode(), "iso-8859-1").text == "şğı"


def test_junk_is_refused() -> None:
    with pytest.raises(UnreadableDocument) as caught:
        decode(bytes(range(1, 9)) * 100)
    assert caught.value.reason is UnreadableReason.UNSUPPORTED_FORMAT


def test_a_few_control_characters_are_no_junk() -> None:
    assert decode(b"a\x00b\x01c and the rest of a sentence").text.startswith("a\x00b")


def test_the_sample_is_taken_where_letters_are() -> None:
    text = "plain line\n" * 30_000 + SAMPLES["cp1251"]
    assert decode(text.encode("cp1251")).text == text


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("ISO-8859-8-I", "iso8859-8"),
        ("'utf-8'", "utf-8"),
        ("nonsense", None),
        ("base64", None),
        (None, None),
        ("", None),
    ],
)
def test_known_encoding(name, codec) -> None:
    assert known_encoding(name) == codec
