from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kaynak.engines import LexicalEngine
from kaynak.engines.memory import MemoryLexical
from kaynak.engines.tantivy import TantivyEngine
from kaynak.testing.lexical import LexicalEngineSuite


class TestMemory(LexicalEngineSuite):
    column = "memory"

    durable = False

    @pytest.fixture
    def engine_factory(self) -> Callable[[], LexicalEngine]:
        return MemoryLexical


class TestTantivy(LexicalEngineSuite):
    column = "tantivy"

    @pytest.fixture
    def engine_factory(self, tmp_path: Path) -> Callable[[], LexicalEngine]:
        return lambda: TantivyEngine(tmp_path / "indexes")
