"""The model's own tokenizer, for counting (chunkers) and for encoding (the model)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kaynak.domain import Misconfigured
from kaynak.embedding.word_memo import WordMemo

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

_CHARS_PER_TOKEN = 8  # more than any ordinary text has; longer texts are tried in growing prefixes


class ModelTokenizer:
    """A tokenizer out of a ``tokenizer.json``. Thread-safe.

    Attributes:
        fingerprint: Of the file and of the casing.
        padding_id: Fills up batches.
    """

    def __init__(self, tokenizer: Tokenizer, fingerprint: str, *, padding_id: int, lowercase: bool = False) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.fingerprint = fingerprint
        self.padding_id = padding_id
        self._tokenizer = tokenizer
        self._lowercase = lowercase
        unknown = getattr(tokenizer.model, "unk_token", None)
        self._unknown = tokenizer.token_to_id(unknown) if isinstance(unknown, str) else None
        self._before, self._after = _frame(tokenizer)
        self._memo = WordMemo(tokenizer, self._cased) if WordMemo.suits(tokenizer) else None

    @classmethod
    def load(cls, directory: Path, *, padding_id: int, lowercase: bool = False) -> ModelTokenizer:
        """Reads ``tokenizer.json`` in ``directory``.

        Raises:
            Misconfigured: It is missing or cannot be read.
        """
        from tokenizers import Tokenizer

        path = directory / "tokenizer.json"
        try:
            content = path.read_bytes()
            tokenizer = Tokenizer.from_buffer(content)
        except Exception as exc:  # tokenizers raises bare Exception
            raise Misconfigured(
                f"{directory.name} has no tokenizer.json that can be read: {exc}",
                hint="Fetch the model again, with its fast tokenizer.",
            ) from exc
        digest = hashlib.blake2b(content + (b"l" if lowercase else b""), digest_size=8).hexdigest()
        return cls(tokenizer, digest, padding_id=padding_id, lowercase=lowercase)

    @property
    def special_tokens(self) -> int:
        """How many tokens frame every text."""
        return len(self._before) + len(self._after)

    @property
    def frame(self) -> tuple[list[int], list[int]]:
        """The special tokens before and after every text."""
        return list(self._before), list(self._after)

    def bare(self, text: str) -> list[int]:
        """Returns the token ids of a text, without special tokens."""
        known = self._memo.ids(text) if self._memo is not None else None
        return list(self._whole(text).ids) if known is None else known

    def starts(self, text: str) -> list[int]:
        """See `TokenCounter`."""
        known = self._memo.starts(text) if self._memo is not None else None
        return [start for start, _ in self._whole(text).offsets] if known is None else known

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """See `TokenCounter`."""
        return list(self._whole(text).offsets)

    def count(self, text: str) -> int:
        """See `TokenCounter`."""
        return len(self.bare(text))

    def ids_of(self, tokens: Sequence[str]) -> frozenset[int]:
        """Returns the ids of those of ``tokens`` that the vocabulary has."""
        return frozenset(found for token in tokens if (found := self._tokenizer.token_to_id(token)) is not None)

    def unknown(self, text: str) -> int:
        """Returns how many tokens of ``text`` stand for something the vocabulary cannot spell."""
        return self.bare(text).count(self._unknown) if self._unknown is not None else 0

    def encode(self, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
        """Returns the framed token ids of each text, cut to ``max_tokens`` in all."""
        room = max_tokens - self.special_tokens
        limit = room * _CHARS_PER_TOKEN
        rows = []
        for text, ids in zip(texts, self._ids([text[:limit] for text in texts]), strict=True):
            if len(ids) < room and len(text) > limit:
                ids = self._encode_long(text, limit, room)
            rows.append([*self._before, *ids[:room], *self._after])
        return rows

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        known = [self._memo.ids(text) for text in texts] if self._memo is not None else [None] * len(texts)
        others = [self._cased(text) for text, ids in zip(texts, known, strict=True) if ids is None]
        encoded = iter(self._tokenizer.encode_batch_fast(others, add_special_tokens=False) if others else ())
        return [next(encoded).ids if ids is None else ids for ids in known]

    def _encode_long(self, text: str, limit: int, room: int) -> list[int]:
        # Mostly white space or words the model cannot spell: read further until there is enough.
        ids: list[int] = []
        while len(ids) < room and limit < len(text):
            limit *= 8
            ids = self.bare(text[:limit])
        return ids

    def _whole(self, text: str) -> Encoding:
        return self._tokenizer.encode(self._cased(text), add_special_tokens=False)

    def _cased(self, text: str) -> str:
        if not self._lowercase:
            return text
        if text.isascii():
            return text.lower()
        # Character by character, because "İ".lower() is two characters, and offsets must not shift.
        return "".join(low if len(low := char.lower()) == 1 else char for char in text)


def _frame(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    framed = tokenizer.encode("a", add_special_tokens=True).ids
    for start in range(len(framed) - len(bare) + 1):
        if framed[start : start + len(bare)] == bare:
            return framed[:start], framed[start + len(bare) :]
    return [], []
