"""What the dense and the lexical side have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar
from uuid import UUID

from kaynak.domain import CorruptIndex, Filter
from kaynak.engines.checks import check_name
from kaynak.engines.milvus import labels, making
from kaynak.engines.milvus.filters import EVERYTHING
from kaynak.engines.milvus.form import Collection, Form, main_collection
from kaynak.engines.milvus.library import MilvusClient
from kaynak.engines.milvus.reading import PAGE, Reads
from kaynak.engines.milvus.store import Store
from kaynak.engines.options import MilvusOptions

T = TypeVar("T")
F = TypeVar("F", bound=Form)


class MilvusIndexes(ABC, Generic[F]):
    """Indexes of one side.

    Args:
        options: Where Milvus is.
        root: Directory of milvus-lite, where no server is named.
        threads: Reads at the same time.
    """

    side: str

    def __init__(self, options: MilvusOptions, root: Path, threads: int) -> None:
        self._store = Store(options, root, threads)
        self._forms: dict[str, F] = {}

    @abstractmethod
    def _form_from(self, name: str, stored: str) -> F:
        """Returns the form of an index that is there, by what is kept with it."""

    def _each(self, form: F, expression: str) -> str:
        """Returns an expression for each point once, in whichever collections it is."""
        return expression

    async def drop(self, name: str) -> None:
        """Removes the index and all its data."""
        main = self._main(name)

        def work(client: MilvusClient) -> None:
            with self._store.lock(main):
                making.remove(self._store, client, main)

        await self._store.run(check_name(name), work, writes=True)
        self._forms.pop(name, None)

    async def exists(self, name: str) -> bool:
        """Returns whether the index was made, and made to the end."""
        try:
            await self.revision(name)
        except CorruptIndex:
            return False
        return True

    async def revision(self, name: str) -> int:
        """Returns the revision of the last write."""
        label = await self._run(name, lambda client: labels.read(self._store, client, self._main(name)))
        return int(label[labels.REVISION])

    async def count(self, name: str, condition: Filter | None = None) -> int:
        """Returns how many points match."""

        def work(client: MilvusClient, form: F) -> int:
            counted = self._each(form, self._store.expression(client, condition))
            return sum(Reads(self._store, client, form, one).count(counted) for one in form.collections)

        return await self._with_form(name, work)

    async def scan(self, name: str) -> AsyncIterator[tuple[int, UUID]]:
        """Yields (chunk id, document id) of all points, by collection and id."""
        form = await self._with_form(name, lambda client, form: form)
        expression = self._each(form, EVERYTHING)
        for collection in form.collections:
            reads = await self._run(name, lambda client, of=collection: Reads(self._store, client, form, of))  # type: ignore[misc]
            pages = reads.pages(expression, ["document"], PAGE)
            while rows := await self._run(name, _next(pages)):
                for row in rows:
                    yield int(row["id"]), UUID(row["document"])

    async def health(self) -> None:
        """Asks the server.

        Raises:
            EngineUnavailable: It does not answer.
        """
        await self._store.run("health", lambda client: client.list_collections(timeout=self._store.options.seconds))

    async def close(self) -> None:
        """Waits for what runs, and ends the connection; the last engine of a process closes the files."""
        await self._store.close()

    async def _make(
        self, form: F, collections: Callable[[MilvusClient], list[Collection]], fits: Callable[[F], bool]
    ) -> None:
        """Makes an index; no error if one is there that fits.

        Args:
            form: Of the index.
            collections: Returns what it needs.
            fits: Whether one that is there is what is asked for.
        """

        def work(client: MilvusClient) -> None:
            with self._store.lock(form.main):
                making.make(
                    self._store,
                    client,
                    form,
                    lambda: collections(client),
                    lambda stored: fits(self._form_from(form.name, stored)),
                )

        await self._store.run(form.name, work, writes=True)
        self._forms.pop(form.name, None)

    def _main(self, name: str) -> str:
        return main_collection(self._store.options.prefix, name, self.side)

    async def _with_form(self, name: str, work: Callable[[MilvusClient, F], T], *, writes: bool = False) -> T:
        def run(client: MilvusClient) -> T:
            form = self._forms.get(name)
            if form is None:
                form = self._form_from(name, labels.read(self._store, client, self._main(name))[labels.SPEC])
                # A server that was started again, or files that were just opened, may not have it in memory.
                for one in form.collections:
                    labels.load(self._store, client, one)
                self._forms[name] = form
            return work(client, form)

        return await self._run(name, run, writes=writes)

    async def _run(self, name: str, work: Callable[[MilvusClient], T], *, writes: bool = False) -> T:
        try:
            return await self._store.run(check_name(name), work, writes=writes)
        except CorruptIndex:
            # It may be made anew with other fields.
            self._forms.pop(name, None)
            raise


def _next(pages: Iterator[list[dict[str, Any]]]) -> Callable[[MilvusClient], list[dict[str, Any]]]:
    return lambda client: next(pages, [])
