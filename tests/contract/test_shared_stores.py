"""Two installations in one store, each under a name of its own: neither sees, nor touches, what the other has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from kaynak.domain import CorruptIndex
from kaynak.engines import (
    LEXICAL_ENGINES,
    ArangoOptions,
    DenseSpec,
    EngineOptions,
    LexicalSpec,
    MilvusOptions,
    QdrantOptions,
    VectorField,
    dense_engine,
    lexical_engine,
)
from kaynak.testing.arangodb import ArangoServer
from kaynak.testing.dense import SPEC, point
from kaynak.testing.engines import NAME
from kaynak.testing.qdrant_server import qdrant_server

pytestmark = pytest.mark.anyio

Installation = Callable[[str], EngineOptions]
STORES = ("qdrant embedded", "qdrant server", "milvus embedded", "arangodb server")


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def installation(store: str, tmp_path: Path) -> Iterator[Installation]:
    """Returns the options of an installation by its prefix; all of them have one store."""
    with ExitStack() as stack:
        qdrant: Callable[..., QdrantOptions] = QdrantOptions
        arangodb: Callable[..., ArangoOptions] = ArangoOptions
        if store == "qdrant server":
            qdrant = partial(QdrantOptions, stack.enter_context(qdrant_server(tmp_path / "server")).url)
        if store == "arangodb server":
            server = stack.enter_context(ArangoServer())
            arangodb = partial(ArangoOptions, server.url, server.user, server.password)
        yield lambda prefix: EngineOptions(
            "",
            tmp_path,
            qdrant=qdrant(prefix=prefix),
            milvus=MilvusOptions(prefix=prefix),
            arangodb=arangodb(prefix=prefix),
        )


async def test_vectors(store: str, installation: Installation) -> None:
    ours, theirs = (dense_engine(store.split()[0], installation(prefix)) for prefix in ("kaynak", "other"))
    try:
        await ours.create(SPEC)
        await ours.apply(NAME, [point(1), point(2)], [], 7)
        assert not await theirs.exists(NAME)
        with pytest.raises(CorruptIndex):
            await theirs.count(NAME)
        # Of another form, which under the same name would be a conflict.
        await theirs.create(DenseSpec(NAME, (VectorField("text", 3), VectorField("picture", 2))))
        assert (await theirs.revision(NAME), await theirs.count(NAME)) == (0, 0)
        await theirs.drop(NAME)
        assert (await ours.revision(NAME), await ours.count(NAME)) == (7, 2)
        assert len([key async for key, _ in ours.scan(NAME)]) == 2
    finally:
        await ours.close()
        await theirs.close()


async def test_words(store: str, installation: Installation) -> None:
    name = store.split()[0]
    if name not in LEXICAL_ENGINES:
        pytest.skip(f"{name} has no lexical engine")
    ours, theirs = (lexical_engine(name, installation(prefix)) for prefix in ("kaynak", "other"))
    try:
        await ours.create(LexicalSpec(NAME))
        assert not await theirs.exists(NAME)
        await theirs.create(LexicalSpec(NAME))
        await theirs.apply(NAME, [], [], 3)
        await theirs.drop(NAME)
        assert await ours.revision(NAME) == 0
    finally:
        await ours.close()
        await theirs.close()
