"""Strategies by name, with their parameters checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping

from kaynak.chunking.context import prefix_room
from kaynak.chunking.fixed import FixedChunker
from kaynak.chunking.packing import Sizes
from kaynak.chunking.protocol import Chunker
from kaynak.chunking.recursive import RecursiveChunker
from kaynak.chunking.sentence import SentenceChunker
from kaynak.chunking.structure import StructureChunker
from kaynak.domain import InvalidRequest, Json, PartSpec
from kaynak.domain.tokens import TokenCounter

_VERSION = 2
"""Goes into fingerprints: to be raised when the same parameters would split otherwise than before."""
_LEAST_BUDGET = 8
_TARGET = 100
"""Tokens of a passage, where the tokenizer knows the language. Measured: see docs/benchmarks.md."""


class _Params:
    """Reads parameters one by one; `done` refuses what nobody asked for."""

    def __init__(self, spec: PartSpec) -> None:
        self._name = spec.name
        self._left: dict[str, Json] = dict(spec.params)
        self.used: dict[str, Json] = {}

    def number(self, name: str, default: int, least: int, most: int) -> int:
        value = self._left.pop(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise InvalidRequest(
                f"The chunker {self._name} cannot have {name}={str(value)[:40]}.",
                hint=f"Use a whole number from {least} to {most}.",
            )
        self.used[name] = value
        return value

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self._left.pop(name, default)
        if value not in choices:
            raise InvalidRequest(
                f"The chunker {self._name} cannot have {name}={str(value)[:40]}.",
                hint=f"Use one of {', '.join(choices)}.",
            )
        self.used[name] = str(value)
        return str(value)

    def done(self) -> None:
        if self._left:
            raise InvalidRequest(
                f"The chunker {self._name} has no parameter {', '.join(sorted(map(str, self._left)))[:80]}.",
                hint=f"It has {', '.join(sorted(self.used))}.",
            )


def _structure(params: _Params, tokenizer: TokenCounter, most: int, sign: Callable[[], str]) -> Chunker:
    most = params.number("max_tokens", most, _LEAST_BUDGET, most)
    target = params.number("target_tokens", min(_TARGET, most), 1, most)
    least = params.number("min_tokens", target // 5, 0, target)
    return StructureChunker(tokenizer, Sizes(target, least, most), sign())


def _fixed(params: _Params, tokenizer: TokenCounter, most: int, sign: Callable[[], str]) -> Chunker:
    in_tokens = params.choice("unit", "tokens", ("tokens", "characters")) == "tokens"
    largest = most if in_tokens else 1_000_000
    size = params.number("size", min(200, most) if in_tokens else min(1200, most * 5), 1, largest)
    overlap = params.number("overlap", 0, 0, size // 2)
    return FixedChunker(tokenizer, size=size, overlap=overlap, in_tokens=in_tokens, most=most, fingerprint=sign())


def _sentence(params: _Params, tokenizer: TokenCounter, most: int, sign: Callable[[], str]) -> Chunker:
    target = params.number("target_tokens", min(150, most), 1, most)
    overlap = params.number("overlap_sentences", 0, 0, 10)
    return SentenceChunker(tokenizer, target=target, overlap=overlap, most=most, fingerprint=sign())


def _recursive(params: _Params, tokenizer: TokenCounter, most: int, sign: Callable[[], str]) -> Chunker:
    target = params.number("target_tokens", min(200, most), 1, most)
    return RecursiveChunker(tokenizer, target=target, most=most, fingerprint=sign())


_Factory = Callable[[_Params, TokenCounter, int, Callable[[], str]], Chunker]
_STRATEGIES: Mapping[str, _Factory] = {
    "structure": _structure,
    "fixed": _fixed,
    "sentence": _sentence,
    "recursive": _recursive,
}


def build_chunker(spec: PartSpec, tokenizer: TokenCounter, max_tokens: int) -> Chunker:
    """Returns the chunker that ``spec`` describes.

    Args:
        spec: ``structure`` (``target_tokens``, ``min_tokens``, ``max_tokens``), ``fixed`` (``unit``, ``size``,
            ``overlap``), ``sentence`` (``target_tokens``, ``overlap_sentences``) or ``recursive``
            (``target_tokens``).
        tokenizer: The embedder's own.
        max_tokens: What the embedder reads of one text. Chunks stay below it by the room that `embedding_text`
            needs for title and headings.

    Raises:
        InvalidRequest: There is no such strategy or parameter, or its value cannot be.
    """
    factory = _STRATEGIES.get(spec.name)
    if factory is None:
        raise InvalidRequest(f"There is no chunker “{spec.name[:80]}”.", hint=f"Use one of {', '.join(_STRATEGIES)}.")
    most = max_tokens - prefix_room(max_tokens)
    if most < _LEAST_BUDGET:
        raise InvalidRequest(f"A model that reads {max_tokens} tokens is too small to chunk for.")
    params = _Params(spec)

    def sign() -> str:
        params.done()
        described = json.dumps([_VERSION, spec.name, params.used, most, tokenizer.fingerprint], sort_keys=True)
        return f"{spec.name}-{hashlib.blake2b(described.encode(), digest_size=8).hexdigest()}"

    return factory(params, tokenizer, most, sign)
