"""A tokenizer asked word by word says what it says of the whole text, to the letter."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

from kaynak.embedding import word_memo
from kaynak.embedding.tokenizer import ModelTokenizer
from kaynak.embedding.word_memo import WordMemo
from kaynak.testing.tiny_model import write_tiny_model

_PIECES = (
    "the cat sat on mat river stone unhappyword a an 3.5 1,000 x-ray don't e.g. U.S. ABC-123 [SEP] [CLS] [UNK]x "
    "[ SEP ] ##at Ankara'da İSTANBUL ığdır ΟΔΟΣ Σ straße ﬁne é e\u0301 \u0301a a\u0301\u0327b 水 河石 ﷽ ก็ 한글 "
    "👩‍👩‍👧 👍🏽 \ufeffx a\u00adb zero\u200bwidth _under_score ~`^|\\ $€£ “quoted” … — ¿que? x" + "y" * 120
).split(" ")
_SPACES = (" ", "  ", "\n", "\t", "\r\n", "\u00a0", "\u2003", "\u3000", "\u0085", "\x0b", "\x1c", "\x01", "\ufffd", "")


def _texts(count: int, seed: int) -> list[str]:
    pick = random.Random(seed)
    return [
        "".join(pick.choice(_PIECES) + pick.choice(_SPACES) for _ in range(pick.randrange(0, 30))) for _ in range(count)
    ]


def _bert(*, lowercase: bool = True, strip: bool | None = None) -> Tokenizer:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789çğıöşüéσςßİ'.,-[]#"
    words = ["the", "cat", "sat", "on", "mat", "river", "stone", "happy", "un", "##happy", "##word", "İst"]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words, *letters, *(f"##{letter}" for letter in letters)]
    tokenizer = Tokenizer(models.WordPiece({word: at for at, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=strip)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    return tokenizer


@pytest.mark.parametrize(("lowercase", "strip"), [(True, None), (True, False), (False, None), (False, True)])
@pytest.mark.parametrize("cased", [False, True])
def test_word_by_word_is_as_a_whole(lowercase: bool, strip: bool | None, cased: bool) -> None:
    whole = _bert(lowercase=lowercase, strip=strip)
    tokenizer = ModelTokenizer(_bert(lowercase=lowercase, strip=strip), "x", padding_id=0, lowercase=cased)
    for text in _texts(250, seed=lowercase + 2 * cased):
        expected = whole.encode(tokenizer._cased(text), add_special_tokens=False)
        assert tokenizer.bare(text) == expected.ids, repr(text)
        assert tokenizer.starts(text) == [start for start, _ in expected.offsets], repr(text)
        assert tokenizer.count(text) == len(expected.ids)


def test_batches_are_as_single_texts() -> None:
    tokenizer = ModelTokenizer(_bert(), "x", padding_id=0)
    texts = _texts(200, seed=9)
    rows = tokenizer.encode(texts, 1000)
    assert rows == [_bert().encode(text, add_special_tokens=False).ids for text in texts]


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_memo, "_MOST", 50)
    memo = WordMemo(_bert(), str)
    whole = _bert()
    for number in range(60):
        text = f"the cat{number} sat on {number} mats {'y' * 41}" if number % 10 == 0 else f"the cat{number} sat"
        ids = memo.ids(text)
        assert ids is None if "yy" in text else ids == whole.encode(text, add_special_tokens=False).ids
        assert len(memo._known) <= 50


def test_threads_may_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_memo, "_MOST", 80)
    tokenizer, whole = ModelTokenizer(_bert(), "x", padding_id=0), _bert()
    texts = _texts(300, seed=4)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(tokenizer.bare, texts))
    assert found == [whole.encode(text, add_special_tokens=False).ids for text in texts]


def test_other_tokenizers_are_asked_for_whole_texts(tmp_path: Path) -> None:
    assert WordMemo.suits(_bert())
    directory = write_tiny_model(tmp_path, model_type="xlm-roberta")
    assert not WordMemo.suits(Tokenizer.from_file(str(directory / "tokenizer.json")))
    normalised = _bert()
    normalised.add_tokens([AddedToken("stone", normalized=True)])
    assert not WordMemo.suits(normalised)
    tokenizer = ModelTokenizer.load(directory, padding_id=1)
    starts = tokenizer.starts("the cat sat")
    assert [start for start, _ in tokenizer.offsets("the cat sat")] == starts
    assert tokenizer.count("the cat sat") == len(starts)


def test_tokens_of_several_words_are_read_as_a_whole() -> None:
    tokenizer = _bert()
    tokenizer.add_special_tokens([AddedToken("<two words>", special=True)])
    expected = tokenizer.encode("a <two words> b", add_special_tokens=False).ids
    assert ModelTokenizer(tokenizer, "x", padding_id=0).bare("a <two words> b") == expected
