from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kaynak.domain import Misconfigured
from kaynak.engines import DENSE_ENGINES, LEXICAL_ENGINES, EngineOptions, dense_engine, lexical_engine


@pytest.mark.parametrize("name", DENSE_ENGINES)
def test_dense_engines_by_name(name: str, tmp_path: Path) -> None:
    assert dense_engine(name, EngineOptions("postgresql://nowhere", tmp_path)).capabilities.metrics


@pytest.mark.parametrize("name", LEXICAL_ENGINES)
def test_lexical_engines_by_name(name: str, tmp_path: Path) -> None:
    engine = lexical_engine(name, EngineOptions("postgresql://nowhere", tmp_path))
    assert not engine.capabilities.metrics
    assert list(tmp_path.iterdir()) == []


def test_unknown_names_say_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        dense_engine("lucene", EngineOptions("", tmp_path))
    assert "pgvector" in str(caught.value.hint)
    with pytest.raises(Misconfigured):
        lexical_engine("lucene", EngineOptions("", tmp_path))


def test_the_door_imports_no_engine() -> None:
    code = "import sys, kaynak.engines; print([m for m in ('tantivy', 'psycopg', 'hypothesis') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
