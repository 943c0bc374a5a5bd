"""The same against a real server: set ``ARANGO_URL``, ``ARANGO_PASSWORD`` and, if it is not root, ``ARANGO_USER``.

It uses the database ``kaynak_tests`` (or ``ARANGO_DATABASE``), which must exist, and drops the indexes it finds there.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator

import pytest

from kaynak.engines import ArangoOptions, DenseEngine, LexicalEngine
from kaynak.engines.arangodb import ArangoDense, ArangoLexical
from kaynak.testing.dense import DenseEngineSuite
from kaynak.testing.engines import NAME
from kaynak.testing.lexical import LexicalEngineSuite

if "ARANGO_URL" not in os.environ:
    pytest.skip("ARANGO_URL names no server", allow_module_level=True)


@pytest.fixture
def options() -> Iterator[ArangoOptions]:
    found = ArangoOptions(
        os.environ["ARANGO_URL"],
        os.environ.get("ARANGO_USER", "root"),
        os.environ.get("ARANGO_PASSWORD", ""),
        os.environ.get("ARANGO_DATABASE", "kaynak_tests"),
    )

    async def clean() -> None:
        for engine in (ArangoDense(found), ArangoLexical(found)):
            await engine.drop(NAME)
            await engine.close()

    asyncio.run(clean())
    yield found
    asyncio.run(clean())


class TestLiveDense(DenseEngineSuite):
    @pytest.fixture
    def engine_factory(self, options: ArangoOptions) -> Callable[[], DenseEngine]:
        return lambda: ArangoDense(options)


class TestLiveDenseNear(DenseEngineSuite):
    """The same with vector indexes from the second point on."""

    @pytest.fixture
    def engine_factory(self, options: ArangoOptions) -> Callable[[], DenseEngine]:
        return lambda: ArangoDense(options, exact_rows=1)


class TestLiveLexical(LexicalEngineSuite):
    @pytest.fixture
    def engine_factory(self, options: ArangoOptions) -> Callable[[], LexicalEngine]:
        return lambda: ArangoLexical(options)
