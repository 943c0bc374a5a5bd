"""What a tokenizer makes of a word, kept: most words of a text were read before."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_Entry = tuple[tuple[int, ...], tuple[int, ...]]
"""Ids of the tokens of a word, and the first character of each in it."""

# Only characters of ASCII, for which BERT's rules for white space and for marks are those of the standard.
_WORDS = re.compile(r"[^ \t\n\r!-/:-@\[-`{-~]+|[!-/:-@\[-`{-~]")
_MOST = 32_768
"""Words that are kept, about 10 MB. Of an English corpus of a million words 98 in 100 are found among so many."""
_LONGEST = 40
"""Characters of a word that is kept: longer ones are data, or a script without spaces."""


class WordMemo:
    """Reads texts word by word as a BERT tokenizer would read the whole. Thread-safe.

    BERT's tokenizers cut at white space and at marks before anything else, and nothing about a word depends on its
    neighbours. So it is the same to ask for each word once. That takes a tenth of the time.

    Args:
        tokenizer: One that `suits`.
        cased: What is done to a text before, character by character.
    """

    def __init__(self, tokenizer: Tokenizer, cased: Callable[[str], str]) -> None:
        self._tokenizer = tokenizer
        self._cased = cased
        self._special = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
        self._known: dict[str, _Entry] = {}

    @staticmethod
    def suits(tokenizer: Tokenizer) -> bool:
        """Returns whether the tokenizer is of the kind that can be asked word by word."""
        from tokenizers.models import WordPiece
        from tokenizers.normalizers import BertNormalizer
        from tokenizers.pre_tokenizers import BertPreTokenizer

        return (
            isinstance(tokenizer.normalizer, BertNormalizer)
            and isinstance(tokenizer.pre_tokenizer, BertPreTokenizer)
            and isinstance(tokenizer.model, WordPiece)
            # Those that are looked for after letter case and accents are gone may hide in any word.
            and not any(token.normalized for token in tokenizer.get_added_tokens_decoder().values())
        )

    def ids(self, text: str) -> list[int] | None:
        """Returns the ids of the tokens of ``text``; None if it is better read as a whole."""
        words = self._words(text)
        found = None if words is None else self._entries(words)
        return None if found is None else list(chain.from_iterable([ids for ids, _ in found]))

    def starts(self, text: str) -> list[int] | None:
        """Returns the first character of each token of ``text``; None if it is better read as a whole."""
        words = self._words(text)
        found = None if words is None else self._entries(words)
        if words is None or found is None:
            return None
        starts: list[int] = []
        at, find = 0, text.find
        for word, (_, places) in zip(words, found, strict=True):
            at = find(word, at)
            starts += [at + place for place in places]
            at += len(word)
        return starts

    def _words(self, text: str) -> list[str] | None:
        """Returns the words and marks of a text, in order."""
        # A special token is one token, whatever marks it is written with.
        return None if any(token in text for token in self._special) else _WORDS.findall(text)

    def _entries(self, words: list[str]) -> list[_Entry] | None:
        found = list(map(self._known.get, words))
        if None not in found:
            return found  # type: ignore[return-value]
        missing = list(dict.fromkeys(word for word, entry in zip(words, found, strict=True) if entry is None))
        if any(len(word) > _LONGEST for word in missing):
            return None
        learnt = self._learn(missing)
        return [entry or learnt[word] for word, entry in zip(words, found, strict=True)]

    def _learn(self, words: list[str]) -> dict[str, _Entry]:
        encoding = self._tokenizer.encode(self._cased(" ".join(words)), add_special_tokens=False)
        ids, starts = encoding.ids, [start for start, _ in encoding.offsets]
        learnt: dict[str, _Entry] = {}
        first = at = 0
        for word in words:
            end = at + len(word)
            last = first
            while last < len(starts) and starts[last] < end:
                last += 1
            learnt[word] = tuple(ids[first:last]), tuple(start - at for start in starts[first:last])
            first, at = last, end + 1
        if len(self._known) + len(learnt) > _MOST:
            self._known.clear()
        self._known.update(learnt)
        return learnt
