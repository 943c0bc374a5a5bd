"""Every strategy against the chunker suite, with tokenizers of several kinds."""

from __future__ import annotations

from pathlib import Path

import pytest

from kaynak.chunking import Chunker, build_chunker
from kaynak.domain import PartSpec
from kaynak.domain.tokens import TokenCounter
from kaynak.embedding.tokenizer import ModelTokenizer
from kaynak.testing.chunking_suite import ChunkerSuite
from kaynak.testing.fake_embedder import WordCounter
from kaynak.testing.tiny_model import write_tiny_model


@pytest.fixture(scope="session")
def wordpiece(tmp_path_factory: pytest.TempPathFactory) -> TokenCounter:
    directory = write_tiny_model(tmp_path_factory.mktemp("bert"))
    return ModelTokenizer.load(directory, padding_id=0)


@pytest.fixture(scope="session")
def unigram(tmp_path_factory: pytest.TempPathFactory) -> TokenCounter:
    directory = write_tiny_model(tmp_path_factory.mktemp("xlmr"), model_type="xlm-roberta")
    return ModelTokenizer.load(directory, padding_id=1)


class _Small(ChunkerSuite):
    spec = PartSpec("structure")
    max_tokens = 40

    @pytest.fixture
    def counter(self) -> TokenCounter:
        return WordCounter()

    @pytest.fixture
    def chunker(self, counter: TokenCounter) -> Chunker:
        return build_chunker(self.spec, counter, self.max_tokens)


class TestStructure(_Small):
    pass


class TestStructureOfWordPieces(_Small):
    @pytest.fixture
    def counter(self, wordpiece: TokenCounter) -> TokenCounter:
        return wordpiece


class TestStructureOfUnigrams(_Small):
    @pytest.fixture
    def counter(self, unigram: TokenCounter) -> TokenCounter:
        return unigram


class TestFixed(_Small):
    spec = PartSpec("fixed", {"size": 20})


class TestFixedOverlapping(_Small):
    spec = PartSpec("fixed", {"size": 20, "overlap": 5})
    overlaps = True


class TestFixedCharacters(_Small):
    spec = PartSpec("fixed", {"unit": "characters", "size": 100})

    @pytest.fixture
    def counter(self, unigram: TokenCounter) -> TokenCounter:
        return unigram


class TestFixedCharactersOverlapping(_Small):
    spec = PartSpec("fixed", {"unit": "characters", "size": 100, "overlap": 30})
    overlaps = True

    @pytest.fixture
    def counter(self, wordpiece: TokenCounter) -> TokenCounter:
        return wordpiece


class TestSentence(_Small):
    spec = PartSpec("sentence", {"target_tokens": 20})

    @pytest.fixture
    def counter(self, wordpiece: TokenCounter) -> TokenCounter:
        return wordpiece


class TestSentenceOverlapping(_Small):
    spec = PartSpec("sentence", {"target_tokens": 20, "overlap_sentences": 1})
    overlaps = True


class TestRecursive(_Small):
    spec = PartSpec("recursive", {"target_tokens": 20})

    @pytest.fixture
    def counter(self, wordpiece: TokenCounter) -> TokenCounter:
        return wordpiece


class TestRecursiveOfUnigrams(_Small):
    spec = PartSpec("recursive")

    @pytest.fixture
    def counter(self, unigram: TokenCounter) -> TokenCounter:
        return unigram


def test_the_tokenizers_differ(wordpiece: TokenCounter, unigram: TokenCounter, tmp_path: Path) -> None:
    prints = {wordpiece.fingerprint, unigram.fingerprint, WordCounter.fingerprint}
    assert len(prints) == 3
