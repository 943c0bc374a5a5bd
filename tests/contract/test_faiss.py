from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from kaynak.domain import Json
from kaynak.engines import DenseEngine, DenseSpec, Point
from kaynak.engines.faiss import FaissEngine, structures
from kaynak.testing.dense import DenseEngineSuite


class BuiltAtOnce(FaissEngine):
    """Has files of faiss from the first point on, where there would be none in so small an index."""

    def __init__(self, root: Path, params: Mapping[str, Json]) -> None:
        super().__init__(root, build_rows=1)
        self._params = params

    async def create(self, spec: DenseSpec) -> None:
        await super().create(replace(spec, params={**self._params, **spec.params}))

    async def apply(self, name: str, upserts: Sequence[Point], deletes: Sequence[UUID], revision: int) -> None:
        await super().apply(name, upserts, deletes, revision)
        await self.settle()


class TestFaiss(DenseEngineSuite):
    column = "FAISS"

    @pytest.fixture
    def engine_factory(self, tmp_path: Path) -> Callable[[], DenseEngine]:
        return lambda: FaissEngine(tmp_path)


class _Built(DenseEngineSuite):
    params: Mapping[str, Json]

    @pytest.fixture
    def engine_factory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], DenseEngine]:
        # Nothing is so few that it is compared one by one, and nothing so little that a graph is not walked.
        monkeypatch.setattr("kaynak.engines.faiss.searching._GATHERED", 0)
        monkeypatch.setattr("kaynak.engines.faiss.searching._READ", 0)
        monkeypatch.setattr(structures, "_STEP", 0)
        return lambda: BuiltAtOnce(tmp_path, self.params)


class TestFlat(_Built):
    params: Mapping[str, Json] = {"type": "flat"}


class TestHnsw(_Built):
    params: Mapping[str, Json] = {"type": "hnsw"}


class TestHnswOfBytes(_Built):
    params: Mapping[str, Json] = {"type": "hnsw", "bits": 8}


class TestIvf(_Built):
    params: Mapping[str, Json] = {"type": "ivf"}


class TestSq(_Built):
    params: Mapping[str, Json] = {"type": "sq", "bits": 4}


class TestPq(_Built):
    params: Mapping[str, Json] = {"type": "pq", "bits": 5}


class TestIvfPq(_Built):
    params: Mapping[str, Json] = {"type": "ivfpq", "bits": 4}
