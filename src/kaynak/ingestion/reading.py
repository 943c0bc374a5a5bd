from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from kaynak.catalog import BlobStore, PendingVersion
from kaynak.chunking import Chunker
from kaynak.domain import NotFound, ParsedDocument, UnreadableDocument, suspicions
from kaynak.ingestion.preparing import Prepared, Unreadable, prepare
from kaynak.ingestion.progress import Progress
from kaynak.parsing import Source

if TYPE_CHECKING:
    from kaynak.ingestion.pipeline import Parsers

_PARSED_AHEAD = 8
"""Files that wait parsed, or in line for a parsing process: a large one is a megabyte or two."""
_SMALL_BYTES = 32 * 1024
_TOGETHER = 16
"""Small files that go to a parsing process together, and count as one of those ahead."""
_Parsed = tuple[PendingVersion, ParsedDocument]


class Reading:
    """Originals to chunks.

    Args:
        blobs: Where originals are.
        parsers: Read them.
        chunker: Cuts them.
        progress: Is told.
        titles: The callers' titles, by document.
        language: Of the collection; None detects it per document.
        parallel: Files that are parsed at the same time.
    """

    def __init__(
        self,
        blobs: BlobStore,
        parsers: Parsers,
        chunker: Chunker,
        progress: Progress,
        titles: Mapping[UUID, str],
        language: str | None,
        *,
        parallel: int,
    ) -> None:
        self._blobs = blobs
        self._parsers = parsers
        self._chunker = chunker
        self._progress = progress
        self._titles = titles
        self._language = language
        self._parallel = parallel

    async def read(self, pending: Sequence[PendingVersion]) -> AsyncGenerator[Prepared | Unreadable]:
        """Yields what became of each version, in order, with some ahead in the parsing processes.

        What was parsed while the last ones were cut is cut together: a thread's turn costs as much as a short text.
        """
        ahead: deque[asyncio.Task[list[_Parsed | Unreadable]]] = deque()
        waiting = _portions(pending)
        try:
            while True:
                while len(ahead) < self._parallel + _PARSED_AHEAD and (portion := next(waiting, None)):
                    ahead.append(asyncio.create_task(self._parse(portion)))
                if not ahead:
                    return
                await ahead[0]
                ready = ahead.popleft().result()
                while ahead and ahead[0].done():
                    ready += ahead.popleft().result()
                for one in await self._prepared(ready):
                    yield one
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    async def one(self, version: PendingVersion) -> Prepared | Unreadable:
        """Returns one version cut into chunks, or why it cannot be read.

        Raises:
            Unavailable: The blob store or the parsing processes do not answer.
        """
        return (await self._prepared(await self._parse([version])))[0]

    async def _parse(self, versions: Sequence[PendingVersion]) -> list[_Parsed | Unreadable]:
        found: dict[UUID, _Parsed | Unreadable] = {}
        sources: dict[UUID, Source] = {}
        for version in versions:
            try:
                path = await self._blobs.open_path(version.content_hash)
            except NotFound as error:
                found[version.id] = Unreadable(version, error.message, error.type, error.hint)
            except FileNotFoundError:
                # Deleted, with its document, at this moment; or lost, and then the next line is all one can say.
                found[version.id] = Unreadable(
                    version, "The original file is gone.", NotFound.type, "Upload the document again."
                )
            else:
                sources[version.id] = Source(path, version.filename, version.claimed_type, version.password)
        parsed = await self._parsers.parse_many(list(sources.values()))
        results = dict(zip(sources, parsed, strict=True))
        for version in versions:
            one = results.get(version.id)
            if isinstance(one, UnreadableDocument):
                found[version.id] = Unreadable(version, one.message, one.reason.value, one.hint)
            elif one is not None:
                found[version.id] = version, one
        self._progress.done("parse", len(versions))
        return [found[version.id] for version in versions]

    async def _prepared(self, ready: Sequence[_Parsed | Unreadable]) -> list[Prepared | Unreadable]:
        found = await asyncio.to_thread(lambda: [self._prepare(one) for one in ready])
        for one in found:
            if isinstance(one, Prepared):
                for stage in ("chunk", "embed"):
                    self._progress.expect(stage, len(one.rows))
                self._progress.done("chunk", len(one.rows))
        return found

    def _prepare(self, one: _Parsed | Unreadable) -> Prepared | Unreadable:
        if isinstance(one, Unreadable):
            return one
        version, parsed = one
        if reasons := suspicions(parsed.text):
            # The text is kept as it is; whoever uploads it, and whoever reads answers from it, is told.
            said = f"This text may be meant to steer a model: {'; '.join(reasons)}."
            parsed = replace(parsed, warnings=(*parsed.warnings, said))
        title = self._titles.get(version.document_id)
        return prepare(version, parsed, self._chunker, title=title, language=self._language)


def _portions(pending: Sequence[PendingVersion]) -> Iterator[list[PendingVersion]]:
    """Yields the versions in order, small ones several at a time."""
    portion: list[PendingVersion] = []
    for version in pending:
        small = version.size <= _SMALL_BYTES
        if portion and (not small or len(portion) == _TOGETHER):
            yield portion
            portion = []
        portion.append(version)
        if not small:
            yield portion
            portion = []
    if portion:
        yield portion
