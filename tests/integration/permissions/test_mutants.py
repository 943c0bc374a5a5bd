"""The proof has teeth: where one check is taken away, the same scripts and the same model find it.

Each mutant removes one check of the product, and nothing else. `test_without_mutants` shows that the scripts hold of
the product as it is.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from starlette.requests import Request

from kaynak.api import deps
from kaynak.api.deps import Services
from kaynak.api.routes import streams as stream_routes
from kaynak.catalog import EmbeddedPostgres
from kaynak.catalog import scopes as scope_rows
from kaynak.catalog.collections import Collections
from kaynak.catalog.conversations import Conversations
from kaynak.catalog.sql import scope_values
from kaynak.domain import OWNER, Permission, Scope
from kaynak.generation import Streams
from kaynak.logs import configure_logs
from kaynak.retrieval import Moments
from kaynak.testing.proof import Company, Leak, scenes
from kaynak.testing.proof.company import opened

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def proof_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    admin = postgres.url.replace("/kaynak?", "/postgres?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE DATABASE mutants TEMPLATE kaynak STRATEGY file_copy")
    yield postgres.url.replace("/kaynak?", "/mutants?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("DROP DATABASE mutants WITH (FORCE)")


@pytest.fixture(scope="module")
async def watched(proof_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Company]:
    configure_logs("CRITICAL", "json")
    async with opened(tmp_path_factory.mktemp("mutants"), proof_url) as kaynak, Company.of(kaynak) as company:
        yield company


@dataclass(frozen=True)
class Mutant:
    """A check that is taken away.

    Attributes:
        name: Which.
        scene: Finds it.
        apply: Takes it away.
    """

    name: str
    scene: scenes.Scene
    apply: Callable[[pytest.MonkeyPatch, Company], None]


Apply = Callable[[pytest.MonkeyPatch, Company], None]


def rule(module: str, *, readers: bool = False, collections: bool = False) -> Apply:
    """Takes the rule of readers, or that of collections, out of the statements of a module."""

    def values(scope: Scope, permission: Permission = Permission.READ) -> dict[str, Any]:
        found: dict[str, Any] = scope_values(scope, permission)
        return found | ({"principals": None} if readers else {}) | ({"scope": None} if collections else {})

    def apply(patch: pytest.MonkeyPatch, _: Company) -> None:
        patch.setattr(f"kaynak.catalog.{module}.scope_values", values)

    return apply


def route(*paths: str) -> Apply:
    """Takes the caller's scope away from routes whose path has one of ``paths`` in it."""

    async def scope(request: Request, kaynak: Services) -> Scope:
        if any(path in request.url.path for path in paths):
            return OWNER
        return (await deps._uncounted_caller(request, kaynak, None)).scope

    def apply(patch: pytest.MonkeyPatch, company: Company) -> None:
        app: Any = company.client._transport.app  # type: ignore[attr-defined]
        patch.setitem(app.dependency_overrides, deps._current_scope, scope)

    return apply


def statement(module: str, name: str, old: str, new: str = "TRUE") -> Apply:
    """Replaces a condition of a statement."""

    def apply(patch: pytest.MonkeyPatch, _: Company) -> None:
        where = importlib.import_module(f"kaynak.catalog.{module}")
        whole = getattr(where, name)
        changed = str(whole).replace(old, new)
        assert changed != str(whole)
        patch.setattr(where, name, changed if isinstance(whole, str) else text(changed))

    return apply


def instead(target: Any, name: str, value: object) -> Apply:
    """Replaces a method."""
    return lambda patch, _: patch.setattr(target, name, value)


def without_scope(module: str) -> Apply:
    """Leaves the caller out of the keys of a cache."""
    where = importlib.import_module(module)
    digest = where.digest

    def apply(patch: pytest.MonkeyPatch, _: Company) -> None:
        patch.setattr(where, "digest", lambda *parts: digest(*(one for one in parts if not isinstance(one, Scope))))

    return apply


async def _admits(*_: object) -> bool:
    return True


async def _counted(self: object, scope: Scope, collections: Any) -> Any:
    return list(collections)


_get = Conversations.get


async def _anybodys(self: Any, scope: Scope, conversation_id: Any, *, lock: bool = False) -> Any:
    found = await self._connection.execute(
        text("SELECT owner FROM kaynak.conversations WHERE id = :id"), {"id": conversation_id}
    )
    return await _get(self, replace(scope, subject=found.scalar_one_or_none() or ""), conversation_id, lock=lock)


def _any_stream(self: Any, stream_id: str, owner: str) -> Any:
    return self._streams[stream_id]


def _jobs_of_readers(patch: pytest.MonkeyPatch, _: Company) -> None:
    patch.setattr("kaynak.catalog.jobs.scope_values", lambda scope, permission=None: scope_values(scope))


def _wide(scope: Scope, key: Any, *_: object) -> Scope:
    return replace(scope, key=key)


MUTANTS = (
    Mutant("the gate does not look at readers", scenes.stale_indexes, rule("gate", readers=True)),
    Mutant("collections are anybody's", scenes.strangers, rule("collections", collections=True)),
    Mutant("documents do not look at readers", scenes.hidden_documents, rule("documents", readers=True)),
    Mutant("documents do not look at collections", scenes.strangers, rule("documents", collections=True)),
    Mutant("texts and originals are anybody's", scenes.hidden_documents, rule("versions", readers=True)),
    Mutant("passages are listed for anybody", scenes.hidden_documents, rule("chunks", readers=True)),
    Mutant("cited places are shown to anybody", scenes.hidden_documents, rule("cited", readers=True)),
    Mutant("cited places of any collection", scenes.strangers, rule("cited", collections=True)),
    Mutant("counts count what is hidden", scenes.hidden_documents, instead(Collections, "counted", _counted)),
    Mutant("jobs show hidden documents", scenes.hidden_documents, rule("jobs", readers=True)),
    Mutant("jobs are shown to who only reads", scenes.hidden_documents, _jobs_of_readers),
    Mutant("nothing is required to write", scenes.viewers_write, instead(Scope, "require", lambda *_: None)),
    Mutant("keys are as wide as their people", scenes.narrow_keys, instead(scope_rows, "narrowed", _wide)),
    Mutant("ended sessions go on", scenes.revoked, statement("scopes", "_OF_SESSION", "s.revoked_at IS NULL")),
    Mutant("ended keys go on", scenes.revoked, statement("scopes", "_OF_KEY", "k.revoked_at IS NULL")),
    Mutant("the suspended go on", scenes.revoked, statement("scopes", "_OF_KEY", "u.active")),
    Mutant("answers are remembered for all", scenes.remembered, without_scope("kaynak.generation.caching.answers")),
    Mutant("what is remembered skips the gate", scenes.behind_the_back, instead(Moments, "admits", _admits)),
    Mutant("conversations are anybody's", scenes.conversations, instead(Conversations, "get", _anybodys)),
    Mutant(
        "conversations are listed for all",
        scenes.conversations,
        statement("conversations", "_LIST", "c.owner = :owner", "(TRUE OR c.owner = :owner)"),
    ),
    Mutant("answers outlive their sources", scenes.conversations, rule("messages", readers=True)),
    Mutant("searches of conversations find them", scenes.conversations, rule("conversations", readers=True)),
    Mutant("streams are anybody's", scenes.others_streams, instead(Streams, "get", _any_stream)),
    Mutant(
        "keys take up the streams of their people",
        scenes.others_streams,
        instead(stream_routes, "stream_owner", lambda scope: scope.subject),
    ),
    Mutant("one route asks nobody", scenes.hidden_documents, route("/content")),
    Mutant("completions ask nobody", scenes.strangers, route("/v1/chat/")),
    Mutant("the tools of agents ask nobody", scenes.strangers, route("/mcp")),
)


@pytest.mark.parametrize("scene", scenes.SCENES, ids=lambda scene: scene.__name__)
async def test_without_mutants(watched: Company, scene: scenes.Scene) -> None:
    await watched.begin()
    await scene(watched)


@pytest.mark.untraced
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
async def test_a_mutant_is_found(watched: Company, mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    await watched.begin()
    mutant.apply(monkeypatch, watched)
    with pytest.raises(Leak) as leak:
        await mutant.scene(watched)
    # It is what is shown or let through that is found, and not that something broke.
    assert ": 500" not in str(leak.value), leak.value
