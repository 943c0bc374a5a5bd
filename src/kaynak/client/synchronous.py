from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

from kaynak.client.asking import AskingCalls, asked
from kaynak.client.collections import CollectionCalls
from kaynak.client.conversations import ConversationCalls
from kaynak.client.deleting import DeletingCalls
from kaynak.client.documents import DocumentCalls, add_files, form_of
from kaynak.client.events import cut_off, job_event
from kaynak.client.indexes import IndexCalls
from kaynak.client.jobs import JobCalls, followed, healthy
from kaynak.client.places import PlaceCalls
from kaynak.client.results import Submission, job_id_of
from kaynak.client.retrying import ATTEMPTS
from kaynak.client.sharing import SharingCalls
from kaynak.domain import AnswerEvent, Job, Json, Unavailable


class Client(
    ConversationCalls,
    IndexCalls,
    CollectionCalls,
    DocumentCalls,
    AskingCalls,
    JobCalls,
    PlaceCalls,
    SharingCalls,
    DeletingCalls,
):
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
        with ExitStack() as opened:
            form = form_of(opened, files, external_ids, metadata, readers, title=title, password=password)
            return self._run(add_files(collection), form=form)

    def ask_stream(self, question: str, collections: str | Sequence[str], **options: Any) -> Iterator[AnswerEvent]:
        """Yields the answer as it comes into being, and `AnswerCompleted` last. Options as in `ask`.

        A lost connection is made again, and the stream goes on where it was.
        """
        yield from self._answer(asked(question, collections, **options))

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
                for _, value in self._events(followed(number)):
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
            self._run(healthy())
        except Unavailable:
            return False
        return True
