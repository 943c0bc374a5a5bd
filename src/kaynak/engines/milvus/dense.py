from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from kaynak.domain import Filter
from kaynak.engines.checks import check_limit, check_name, check_points, check_vector, pick_field
from kaynak.engines.milvus import writing
from kaynak.engines.milvus.indexes import MilvusIndexes
from kaynak.engines.milvus.library import MilvusClient
from kaynak.engines.milvus.rows import collections_of, rows_of
from kaynak.engines.milvus.searching import Large, Search
from kaynak.engines.milvus.spec import SIDE, Layout, layout_from, layout_of
from kaynak.engines.options import MilvusOptions
from kaynak.engines.protocol import Candidates, Capabilities, DenseSpec, Point, Vector


class MilvusEngine(MilvusIndexes[Layout]):
    """Vectors in Milvus, a collection for each field.

    Args:
        options: Where it is.
        root: Directory of milvus-lite, where no server is named.
        exact_rows: So many vectors that match a filter are read and compared one by one.
        threads: Reads at the same time.
    """

    side = SIDE

    def __init__(self, options: MilvusOptions, root: Path, *, exact_rows: int = 1000, threads: int = 8) -> None:
        super().__init__(options, root, threads)
        self.capabilities = Capabilities(
            metrics=frozenset({"cosine", "dot", "l2"}),
            named_vectors=True,
            filters=True,
            shared=options.uri is not None,
            atomic=False,
        )
        self._exact_rows = exact_rows
        self._large = Large()

    async def create(self, spec: DenseSpec) -> None:
        """See `DenseEngine.create`."""
        check_name(spec.name)
        replicas = 1 if self._store.embedded else self._store.options.replicas
        layout = layout_of(spec, embedded=self._store.embedded, replicas=replicas, prefix=self._store.options.prefix)
        await self._make(
            layout,
            lambda client: collections_of(layout, words=self._store.embedded),
            lambda there: there.fits(spec, layout),
        )

    async def apply(self, name: str, upserts: Sequence[Point], deletes: Sequence[UUID], revision: int) -> None:
        """See `DenseEngine.apply`."""

        def work(client: MilvusClient, layout: Layout) -> None:
            check_points(upserts, layout.fields)
            points = list({one.id: one for one in upserts}.values())
            with self._store.lock(layout.main):
                rows = rows_of(layout, points, words=self._store.embedded)
                changes = writing.Changes(rows, [one.id for one in points], deletes, layout.row_bytes)
                writing.write(self._store, client, layout, changes, revision)

        await self._with_form(name, work, writes=True)

    async def search(
        self,
        name: str,
        vector: Vector,
        limit: int,
        *,
        field: str | None = None,
        condition: Filter | None = None,
        exact: bool = False,
    ) -> Candidates:
        """See `DenseEngine.search`."""
        check_limit(limit)

        def work(client: MilvusClient, layout: Layout) -> Candidates:
            which = pick_field(layout.fields, field)
            query = check_vector(vector, which)
            search = Search(self._store, client, layout, which, query, limit, condition)
            return search.run(self._large, self._exact_rows, exact=exact)

        return await self._with_form(name, work)

    def _form_from(self, name: str, stored: str) -> Layout:
        return layout_from(name, stored, self._store.options.prefix)

    def _each(self, form: Layout, expression: str) -> str:
        # However many vectors a point has, one of its rows is the first.
        return expression if len(form.fields) == 1 else f"first == true and ({expression})"
