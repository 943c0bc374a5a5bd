from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

from kaynak.client import calls
from kaynak.client.calls import Call
from kaynak.client.conversations import ConversationCalls
from kaynak.client.deleting import DeletingCalls
from kaynak.client.events import cut_off, job_event
from kaynak.client.indexes import IndexCalls
from kaynak.client.places import PlaceCalls
from kaynak.client.results import DocumentText, Submission, TextInput, job_id_of
from kaynak.client.retrying import ATTEMPTS
from kaynak.client.sharing import SharingCalls
from kaynak.domain import (
    Answer,
    AnswerEvent,
    Answering,
    Chunk,
    Collection,
    Document,
    DocumentNotFound,
    Job,
    JobItem,
    Json,
    PartSpec,
    SearchResult,
    Unavailable,
)


class Client(ConversationCalls, IndexCalls, PlaceCalls, SharingCalls, DeletingCalls):
    """Kaynak over HTTP.

    Every failure is a `KaynakError`: the class that the server raised, with its message and hint. Calls that
    do no harm twice are repeated after a lost connection or a 503.

    Args:
        base_url: Where ``kaynak up`` serves.
        token: An access token, of ``POST /v1/auth/sign-in``; or see `sign_in`.
        refresh_token: What came with it: the client then stays signed in by itself.
        api_key: An API key, in place of both.
        timeout: Seconds for one answer.
        transport: For tests, and for people with proxies.
    """

    # Collections

    def collections(self) -> Iterator[Collection]:
        """Yields all collections by name, page after page."""
        return self._all(calls.collection_list)

    def create_collection(
        self,
        name: str,
        *,
        description: str = "",
        language: str | None = None,
        chunker: PartSpec | None = None,
        embedder: PartSpec | None = None,
        dense: PartSpec | None = None,
        lexical: PartSpec | None = None,
    ) -> Collection:
        """Creates an empty collection; parts left out are the server's defaults.

        Raises:
            CollectionExists: There is one of that name.
        """
        return self._run(
            calls.create_collection(
                name,
                description=description,
                language=language,
                chunker=chunker,
                embedder=embedder,
                dense=dense,
                lexical=lexical,
            )
        )

    def collection(self, name: str) -> Collection:
        """Returns the collection of that name.

        Raises:
            CollectionNotFound: There is none.
        """
        return self._run(calls.get_collection(name))

    def update_collection(
        self,
        collection: str,
        *,
        name: str | None = None,
        description: str | None = None,
        answering: Answering | None = None,
    ) -> Collection:
        """Renames the collection, or changes its description or, as a whole, how answers are written from it."""
        return self._run(calls.update_collection(collection, name, description, answering))

    def delete_collection(self, name: str) -> None:
        """Deletes the collection with everything in it."""
        self._run(calls.delete_collection(name))

    # Documents

    def add_files(
        self,
        collection: str,
        files: Sequence[Path | str | tuple[str, bytes]],
        *,
        external_ids: Sequence[str] | None = None,
        metadata: Mapping[str, Json] | None = None,
        title: str | None = None,
        password: str | None = None,
        readers: Sequence[str] | None = None,
    ) -> Submission:
        """Uploads files in one request; they are streamed from disk.

        Args:
            collection: Name.
            files: Paths, or pairs of external id and bytes.
            external_ids: Your names for the files, in their order; default: their file names.
            metadata: Stored with every file.
            title: For a single file only.
            password: For encrypted files.
            readers: Who may read them, see `set_readers`; None: as it was, and everybody for new documents.
        """
        named = calls.named(files, external_ids)
        fields = calls.form_fields([name for name, _ in named], title, metadata, password, readers)
        with ExitStack() as opened:
            parts = [
                (
                    "file",
                    (
                        name,
                        opened.enter_context(content.open("rb")) if isinstance(content, Path) else content,
                        "application/octet-stream",
                    ),
                )
                for name, content in named
            ]
            return self._run(calls.add_files(collection), form={"data": fields, "files": parts})

    def add_text(
        self,
        collection: str,
        external_id: str,
        text: str,
        *,
        title: str | None = None,
        metadata: Mapping[str, Json] | None = None,
        media_type: str | None = None,
    ) -> Submission:
        """Adds one text."""
        return self.add_texts(collection, [TextInput(external_id, text, title, metadata, media_type)])

    def add_texts(self, collection: str, texts: Sequence[TextInput]) -> Submission:
        """Adds many texts as one job."""
        return self._run(calls.add_texts(collection, texts))

    def documents(self, collection: str, *, filter: Mapping[str, Json] | None = None) -> Iterator[Document]:  # noqa: A002
        """Yields the documents of a collection, page after page."""
        return self._all(lambda after: calls.document_list(collection, after, filter))

    def document(self, document: UUID) -> Document:
        """Returns the document.

        Raises:
            DocumentNotFound: There is none of that id.
        """
        return self._run(calls.get_document(document))

    def find_document(self, collection: str, external_id: str) -> Document:
        """Returns the document of that external id.

        Raises:
            DocumentNotFound: There is none.
        """
        found = self._run(calls.document_list(collection, None, None, external_id)).items
        if not found:
            raise DocumentNotFound("The collection has no document of that id.")
        return found[0]

    def update_document(
        self, document: UUID, *, metadata: Mapping[str, Json] | None = None, title: str | None = None
    ) -> Document:
        """Replaces the metadata, the title, or both."""
        return self._run(calls.update_document(document, metadata, title))

    def delete_document(self, document: UUID) -> None:
        """Deletes the document and everything derived from it."""
        self._run(calls.delete_document(document))

    def text(self, document: UUID, *, version: int | None = None) -> DocumentText:
        """Returns the canonical text of a version; default: the readable one."""
        return self._run(calls.document_text(document, version))

    def chunks(self, document: UUID) -> Iterator[Chunk]:
        """Yields the passages in order."""
        return self._all(lambda after: calls.chunk_list(document, after))

    def content(self, document: UUID, *, version: int | None = None) -> bytes:
        """Returns the original bytes."""
        return self._run(calls.document_content(document, version))

    # Search and answers

    def search(
        self,
        query: str,
        collections: str | Sequence[str],
        *,
        filter: Mapping[str, Json] | None = None,  # noqa: A002
        limit: int | None = None,
        offset: int | None = None,
        mode: str | None = None,
        group_by: str | None = None,
        min_revision: Mapping[str, int] | None = None,
        dense_weight: float | None = None,
        explain: bool | None = None,
        explain_document: str | None = None,
    ) -> SearchResult:
        """Searches one or more collections; options left out are the server's defaults."""
        options = {
            "filter": filter,
            "limit": limit,
            "offset": offset,
            "mode": mode,
            "group_by": group_by,
            "min_revision": min_revision,
            "dense_weight": dense_weight,
            "explain": explain,
            "explain_document": explain_document,
        }
        return self._run(calls.search(calls.question("query", query, collections, options)))

    def ask(self, question: str, collections: str | Sequence[str], **options: Any) -> Answer:
        """Answers from the sources. Options are the fields of ``POST /v1/ask``: ``model``, ``policy`` and so on."""
        return self._run(calls.ask(calls.question("question", question, collections, options)))

    def ask_stream(self, question: str, collections: str | Sequence[str], **options: Any) -> Iterator[AnswerEvent]:
        """Yields the answer as it comes into being, and `AnswerCompleted` last. Options as in `ask`.

        A lost connection is made again, and the stream goes on where it was.
        """
        yield from self._answer(calls.ask(calls.question("question", question, collections, options)))

    # Jobs

    def jobs(self, *, collection: str | None = None, state: str | None = None) -> Iterator[Job]:
        """Yields jobs, newest first; ``state="failed"`` lists the dead letters."""
        return self._all(lambda after: calls.job_list(after, collection, state))

    def job(self, job: UUID) -> Job:
        """Returns the job.

        Raises:
            JobNotFound: There is none of that id.
        """
        return self._run(calls.get_job(job))

    def job_items(self, job: UUID) -> Iterator[JobItem]:
        """Yields what became of each document."""
        return self._all(lambda after: calls.job_items(job, after))

    def cancel_job(self, job: UUID) -> Job:
        """Asks a job to stop."""
        return self._run(calls.job_action(job, "cancel"))

    def requeue_job(self, job: UUID) -> Job:
        """Tries a failed or cancelled job again."""
        return self._run(calls.job_action(job, "requeue"))

    def watch(self, job: UUID | Job | Submission | None) -> Iterator[Job]:
        """Yields the job whenever it makes progress, and ends with its final state.

        A submission without a job yields nothing. A lost connection is made again.
        """
        number = job_id_of(job)
        if number is None:
            return
        attempt = 1
        while True:
            try:
                for _, value in self._events(Call("GET", f"/v1/jobs/{number}/events", lambda _: None)):
                    current = job_event(value)
                    attempt = 1
                    yield current
                    if current.state.final:
                        return
                raise cut_off()
            except Unavailable:
                attempt += 1
                if attempt > ATTEMPTS:
                    raise
                time.sleep(0.2 * attempt)

    def wait(self, job: UUID | Job | Submission | None, *, progress: Callable[[Job], None] | None = None) -> Job | None:
        """Waits for a job's final state and returns it; None for a submission without a job.

        Args:
            job: A job, its id, or what `add_files` returned.
            progress: Called with the job whenever it changes.
        """
        current: Job | None = None
        for current in self.watch(job):
            if progress is not None:
                progress(current)
        return current

    def healthy(self) -> bool:
        """Returns whether the server says that it can search."""
        try:
            self._send(Call("GET", "/ready", lambda _: None, safe=False))
        except Unavailable:
            return False
        return True
