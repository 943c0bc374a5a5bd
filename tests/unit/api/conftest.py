"""The application over honest in-memory services, and a client that checks every answer against OpenAPI."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
import pytest
import structlog
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.routing import Match

from kaynak.api import create_app
from kaynak.domain import (
    Ailment,
    Answer,
    AnswerCompleted,
    AnswerEvent,
    Answering,
    AnswerSentence,
    AskRequest,
    Block,
    BlockKind,
    Chunk,
    Citation,
    Collection,
    CollectionExists,
    CollectionNotFound,
    Conflict,
    Deletion,
    Document,
    DocumentNotFound,
    Examination,
    Finding,
    Generation,
    GenerationSpec,
    Hit,
    Job,
    JobItem,
    JobNotFound,
    JobState,
    Outcome,
    PassagesFound,
    SearchRequest,
    SearchResult,
    SearchTrace,
    SentenceWritten,
    Span,
    StageProgress,
    StatusChanged,
    TextWritten,
    TokenUsage,
    UsageReported,
    Verdict,
    VersionState,
    matches,
    new_id,
)
from kaynak.fetching import Fetcher, Reach
from kaynak.generation import Streams
from kaynak.ingestion import Update
from kaynak.limiting import MemoryLimiter, Rates
from kaynak.logs import configure_logs
from kaynak.observability import Metrics
from kaynak.settings import LimitSettings, Settings
from kaynak.testing.callers import OnlyTheOwner

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass
class Store:
    collections: dict[str, Collection] = field(default_factory=dict)
    documents: dict[UUID, Document] = field(default_factory=dict)
    bytes: dict[UUID, bytes] = field(default_factory=dict)
    jobs: dict[UUID, Job] = field(default_factory=dict)
    items: dict[UUID, list[JobItem]] = field(default_factory=dict)
    folder: Path = Path()
    passwords: list[str | None] = field(default_factory=list)
    readers: list[tuple[str, ...] | None] = field(default_factory=list)


class Collections:
    def __init__(self, store: Store) -> None:
        self.store = store

    async def create(self, scope, name, *, description="", language=None, spec=None, answering=None) -> Collection:
        if name in self.store.collections:
            raise CollectionExists(f"There is a collection {name} already.", hint="Choose another name.")
        number = new_id()
        generation = Generation(1, number, spec or GenerationSpec(), "chunker-1", "minilm-1", 384, True)
        answering = answering or Answering()
        made = Collection(number, name, description, language, 0, generation, 0, 0, NOW, NOW, answering)
        self.store.collections[name] = made
        return made

    async def get(self, scope, name) -> Collection:
        if name not in self.store.collections:
            raise CollectionNotFound(f"There is no collection “{name}”.", hint="See /v1/collections.")
        return self.store.collections[name]

    async def list(self, scope, *, after, limit) -> list[Collection]:
        names = sorted(name for name in self.store.collections if after is None or name > after)
        return [self.store.collections[name] for name in names[:limit]]

    async def update(self, scope, name, *, new_name=None, description=None, answering=None) -> Collection:
        found = await self.get(scope, name)
        if new_name not in (None, name) and new_name in self.store.collections:
            raise CollectionExists("There is one already.")
        del self.store.collections[name]
        changed = replace(
            found,
            name=found.name if new_name is None else new_name,
            description=found.description if description is None else description,
            answering=found.answering if answering is None else answering,
        )
        self.store.collections[changed.name] = changed
        return changed

    async def delete(self, scope, name) -> None:
        await self.get(scope, name)
        del self.store.collections[name]


class Intake:
    def __init__(self, store: Store) -> None:
        self.store = store

    async def submit(self, scope, collection, uploads, *, prune=False) -> Any:
        if collection not in self.store.collections:
            raise CollectionNotFound(f"There is no collection “{collection}”.")
        job_id, items = new_id(), []
        for upload in uploads:
            content = upload.content if isinstance(upload.content, bytes) else upload.content.read_bytes()
            self.store.passwords.append(upload.password)
            self.store.readers.append(upload.readers)
            items.append(self._one(collection, upload, content))
        self.store.items[job_id] = items
        counts = {outcome: sum(item.outcome is outcome for item in items) for outcome in Outcome}
        pending = counts[Outcome.PENDING]
        stages = tuple(StageProgress(name, 0, pending) for name in ("parse", "chunk", "embed", "commit", "index"))
        state = JobState.QUEUED
        job = Job(job_id, "ingest", collection, state, stages, counts, 0, False, None, NOW, None, None)
        if pending:
            self.store.jobs[job_id] = job
        return SimpleNamespace(job=job if pending else None, items=tuple(items))

    async def left_over(self, scope, collection, items, *, prefix="") -> list[Any]:
        names = {item.external_id for item in items}
        return [
            number
            for number, known in self.store.documents.items()
            if known.collection == collection
            and known.external_id not in names
            and known.external_id.startswith(prefix)
        ]

    async def remove(self, scope, collection, documents) -> int:
        for number in documents:
            del self.store.documents[number]
        return len(documents)

    def _one(self, collection: str, upload: Any, content: bytes) -> JobItem:
        if not content:
            return JobItem(upload.external_id, None, Outcome.FAILED, "The file is empty.", "empty", "Check it.")
        for number, known in self.store.documents.items():
            if (known.collection, known.external_id) == (collection, upload.external_id):
                if self.store.bytes[number] == content:
                    return JobItem(upload.external_id, number, Outcome.UNCHANGED)
                self.store.bytes[number] = content
                return JobItem(upload.external_id, number, Outcome.PENDING)
        number = new_id()
        self.store.bytes[number] = content
        self.store.documents[number] = Document(
            id=number,
            collection=collection,
            external_id=upload.external_id,
            title=upload.title or upload.filename,
            state=VersionState.READY,
            version=1,
            media_type=upload.media_type or "text/plain",
            size=len(content),
            language="en",
            metadata=upload.metadata or {},
            properties={},
            pages=None,
            chunks=2,
            warnings=(),
            error=None,
            error_code=None,
            revision=1,
            created_at=NOW,
            updated_at=NOW,
        )
        return JobItem(upload.external_id, number, Outcome.PENDING)


class Documents:
    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, scope, number) -> Document:
        if number not in self.store.documents:
            raise DocumentNotFound("There is no such document.")
        return self.store.documents[number]

    async def find(self, scope, collection, external_id) -> Document:
        for found in self.store.documents.values():
            if (found.collection, found.external_id) == (collection, external_id):
                return found
        raise DocumentNotFound(f"There is no document “{external_id}” in {collection}.")

    async def list(self, scope, collection, *, condition, after, limit) -> list[Document]:
        if collection not in self.store.collections:
            raise CollectionNotFound(f"There is no collection “{collection}”.")
        found = sorted(
            (d for d in self.store.documents.values() if d.collection == collection), key=lambda d: str(d.id)
        )
        payload = {d.id: {**d.metadata, "_id": d.external_id} for d in found}
        return [d for d in found if (after is None or d.id > after) and matches(condition, payload[d.id])][:limit]

    async def update(self, scope, number, *, metadata=None, title=None, readers=None) -> Update:
        found = await self.get(scope, number)
        changed = replace(
            found,
            metadata=found.metadata if metadata is None else metadata,
            title=found.title if title is None else title,
        )
        self.store.documents[number] = changed
        return Update(changed, None)

    async def delete(self, scope, number) -> None:
        await self.get(scope, number)
        del self.store.documents[number]

    async def delete_many(self, scope, collection, numbers) -> None:
        for number in numbers:
            await self.delete(scope, number)

    async def text(self, scope, number, version=None) -> Any:
        await self.get(scope, number)
        if version not in (None, 1):
            raise DocumentNotFound("There is no such version.")
        text = self.store.bytes[number].decode()
        block = Block(BlockKind.PARAGRAPH, 0, len(text))
        return SimpleNamespace(version_id=number, number=1, text=text, pages=(), blocks=(block,))

    async def chunks(self, scope, number, *, after, limit) -> list[Chunk]:
        await self.get(scope, number)
        text = self.store.bytes[number].decode()
        half = len(text) // 2
        spans = (Span(0, half), Span(half, len(text)))
        made = [Chunk(i + 1, number, number, i, span, span.of(text), ("Heading",)) for i, span in enumerate(spans)]
        return [chunk for chunk in made if after is None or chunk.ordinal > after][:limit]

    async def content(self, scope, number, version=None) -> tuple[Path, str, str | None]:
        found = await self.get(scope, number)
        path = self.store.folder / hashlib.sha256(self.store.bytes[number]).hexdigest()
        path.write_bytes(self.store.bytes[number])
        return path, found.title, found.media_type


class Jobs:
    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, scope, number) -> Job:
        if number not in self.store.jobs:
            raise JobNotFound("There is no such job.")
        return self.store.jobs[number]

    async def list(self, scope, *, collection, state, after, limit) -> list[Job]:
        if collection is not None and collection not in self.store.collections:
            raise CollectionNotFound(f"There is no collection “{collection}”.")
        found = sorted(self.store.jobs.values(), key=lambda job: job.id, reverse=True)
        return [
            job
            for job in found
            if (collection in (None, job.collection))
            and (state in (None, job.state))
            and (after is None or job.id < after)
        ][:limit]

    async def items(self, scope, number, *, after, limit) -> list[JobItem]:
        await self.get(scope, number)
        start = 0 if after is None else after + 1
        return self.store.items[number][start : start + limit]

    async def cancel(self, scope, number) -> None:
        job = await self.get(scope, number)
        if job.state.final:
            raise Conflict("The job is over.")
        self.store.jobs[number] = replace(job, state=JobState.CANCELLED, cancel_requested=True)

    async def requeue(self, scope, number) -> None:
        job = await self.get(scope, number)
        if job.state not in {JobState.FAILED, JobState.CANCELLED}:
            raise Conflict("Only failed and cancelled jobs can be queued again.")
        self.store.jobs[number] = replace(job, state=JobState.QUEUED)

    async def watch(self, scope, number) -> AsyncIterator[Job]:
        job = await self.get(scope, number)
        yield replace(job, state=JobState.RUNNING)
        await asyncio.sleep(0.05)
        items = self.store.items[number]
        done = [replace(i, outcome=Outcome.ADDED) if i.outcome is Outcome.PENDING else i for i in items]
        self.store.items[number] = done
        counts = {outcome: sum(item.outcome is outcome for item in done) for outcome in Outcome}
        self.store.jobs[number] = replace(job, state=JobState.SUCCEEDED, counts=counts)
        yield self.store.jobs[number]


class Searcher:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.requests: list[SearchRequest] = []
        self.failure: Exception | None = None

    async def search(self, request: SearchRequest, scope) -> SearchResult:
        if self.failure is not None:
            raise self.failure
        self.requests.append(request)
        for name in request.collections:
            if name not in self.store.collections:
                raise CollectionNotFound(f"There is no collection “{name}”.")
        hits = tuple(
            Hit(
                score=0.9,
                collection=d.collection,
                document_id=d.id,
                external_id=d.external_id,
                title=d.title,
                version_id=d.id,
                version=1,
                chunk_ids=(1, 2),
                span=Span(0, 5),
                text=self.store.bytes[d.id].decode(errors="replace")[:5],
                headings=("Heading",),
                pages=(1, 2),
                language="en",
                media_type=d.media_type,
                metadata=d.metadata,
            )
            for d in self.store.documents.values()
            if d.collection in request.collections
        )
        trace = SearchTrace({"lexical": 1.5, "gate": 0.25}, {}, None)
        return SearchResult(hits[: request.limit], len(hits) > request.limit, {}, (), 2.0, trace)


class Asker:
    def __init__(self, searcher: Searcher) -> None:
        self.searcher = searcher
        self.requests: list[AskRequest] = []
        self.fail_after_first = False

    async def stream(self, request: AskRequest, scope, *, stop=None) -> AsyncIterator[AnswerEvent]:
        self.requests.append(request)
        result = await self.searcher.search(request.search, scope)
        yield PassagesFound(result.hits)
        if self.fail_after_first:
            raise RuntimeError("a secret")
        hit = result.hits[0]
        sentence = AnswerSentence(hit.text, (1,), Verdict.SUPPORTED)
        citation = Citation(
            1, hit.collection, hit.document_id, hit.external_id, hit.title, hit.version_id, 1, 1, hit.span, hit.text
        )
        yield StatusChanged("writing", "extractive")
        yield TextWritten(f"{hit.text} [1]")
        yield SentenceWritten(sentence, (citation,))
        yield UsageReported("extractive", TokenUsage(7, 5), 0.25)
        question = request.search.query
        answer = Answer(question, f"{hit.text} [1]", (sentence,), (citation,), True, "extractive", result.hits, (), 3.0)
        yield AnswerCompleted(answer)

    async def ask(self, request: AskRequest, scope) -> Answer:
        async for event in self.stream(request, scope):
            if isinstance(event, AnswerCompleted):
                return event.answer
        raise AssertionError


class Catalog:
    failure: Exception | None = None

    async def ping(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def migrate(self) -> None:
        pass

    async def current_migration(self) -> str | None:
        from kaynak.catalog import head_migration

        return head_migration()


class Doctor:
    """Looks into one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def proof(self, scope, collection, documents) -> Any:
        async def look() -> Examination:
            left = [one for one in documents if one in self.store.documents]
            found = [Finding("memory g1", Ailment.ORPHANED, len(left), "Something is left.")] if left else []
            return Examination(("catalog", "memory g1"), (), tuple(found))

        return look


class Deleting:
    """Deletes two at a time."""

    def __init__(self, documents: Documents, doctor: Doctor) -> None:
        self.documents, self.doctor = documents, doctor

    async def delete(self, scope, collection, documents) -> Examination:
        proof = await self.doctor.proof(scope, collection, documents)
        await self.documents.delete_many(scope, collection, list(documents))
        return await proof()

    async def matching(self, scope, collection, condition) -> tuple[int, UUID | None]:
        found = await self.documents.list(scope, collection, condition=condition, after=None, limit=1000)
        return len(found), found[-1].id if found else None

    async def delete_matching(self, scope, collection, condition, *, until, limit=1000) -> AsyncIterator[Deletion]:
        found = await self.documents.list(scope, collection, condition=condition, after=None, limit=limit)
        for start in range(0, len(found), 2):
            portion = {one.id: one.external_id for one in found[start : start + 2]}
            yield Deletion(len(portion), await self.delete(scope, collection, portion))


class Services:
    """What `Kaynak` offers to routes, in memory."""

    def __init__(self, folder: Path) -> None:
        store = Store(folder=folder)
        limits = LimitSettings(upload_mb=1, request_documents=5, query_chars=8192, page_size=200)
        self.store = store
        self.settings = Settings(data_dir=folder, limits=limits, _env_file=None)
        self.catalog = Catalog()
        self.collections = Collections(store)
        self.intake = Intake(store)
        self.documents = Documents(store)
        self.doctor = Doctor(store)
        self.deleting = Deleting(self.documents, self.doctor)
        self.jobs = Jobs(store)
        self.searcher = Searcher(store)
        self.asker = Asker(self.searcher)
        self.streams = Streams()
        self.rates = Rates(MemoryLimiter(), {})
        self.identity = SimpleNamespace(callers=OnlyTheOwner(), people=self)
        self.fetcher = Fetcher(Reach(["127.0.0.1"]))
        self.embedders = self
        self.followers = self
        self.metrics = Metrics()
        self.exposition = self

    async def administered(self) -> bool:
        return False

    async def get(self, name: str) -> Any:
        return SimpleNamespace(fingerprint="minilm-1", dimensions=384)

    async def applied(self, collection: UUID) -> int:
        return 0

    async def page(self) -> bytes:
        return b"kaynak_build_info 1.0\n"


class Api:
    """Calls the application and checks that every answer is one that OpenAPI declares."""

    def __init__(self, app: FastAPI, services: Services) -> None:
        self.app = app
        self.app.state.kaynak = services
        self.openapi = self.app.openapi()
        self.routes = [route for route in _routes(self.app.router.routes) if isinstance(route, APIRoute)]

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self.send(method, path, **options))

    async def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            response = await client.request(method, path, **options)
        self.check(method, path, response)
        return response

    def check(self, method: str, path: str, response: httpx.Response) -> None:
        assert response.headers["x-request-id"]
        kind = response.headers.get("content-type", "")
        if response.status_code >= 400:
            assert kind == "application/problem+json"
            problem = response.json()
            assert problem["type"].startswith("urn:kaynak:error:")
            assert problem["status"] == response.status_code
            assert problem["request_id"] == response.headers["x-request-id"]
        operation, route = self._operation(method, path)
        if operation is None:
            return
        declared = operation["responses"]
        assert str(response.status_code) in declared, f"{response.status_code} is not declared: {response.text}"
        content = declared[str(response.status_code)].get("content", {})
        if response.status_code >= 400:
            examples = content["application/problem+json"]["examples"].values()
            assert problem["type"] in {example["value"]["type"] for example in examples}, problem["type"]
        elif kind == "application/json":
            TypeAdapter(route.response_model).validate_json(response.content)

    def _operation(self, method: str, path: str) -> tuple[dict[str, Any] | None, Any]:
        scope = {"type": "http", "method": method, "path": path.partition("?")[0], "root_path": "", "headers": []}
        for route in self.routes:
            if route.include_in_schema and route.matches(scope)[0] is Match.FULL:
                return self.openapi["paths"][route.path_format][method.lower()], route
        return None, None


def _routes(routes: Any) -> Iterator[Any]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _routes(inner.routes)
        else:
            yield route


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    """As in production; structlog's own default draws every local variable of a traceback."""
    configure_logs("INFO", "json")
    yield
    structlog.reset_defaults()


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return Services(tmp_path)


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """Built once: FastAPI takes its time over 20 routes."""
    return create_app(Services(tmp_path_factory.mktemp("unused")))


@pytest.fixture
def api(app: FastAPI, services: Services) -> Api:
    return Api(app, services)


@pytest.fixture
def handbook(api: Api) -> str:
    """An existing collection."""
    assert api("POST", "/v1/collections", json={"name": "handbook"}).status_code == 201
    return "handbook"
