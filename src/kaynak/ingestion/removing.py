from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from kaynak.catalog import BlobStore, Catalog, lock_documents
from kaynak.domain import Action, Scope
from kaynak.indexing import release


async def remove(
    catalog: Catalog, blobs: BlobStore, scope: Scope, collection_id: UUID, document_ids: Sequence[UUID]
) -> int:
    """Removes documents with all that was made from them, and returns the collection's revision afterwards.

    The indexes follow. Documents that are not there are passed over.
    """
    async with catalog.begin() as unit:
        there = await lock_documents(unit.connection, document_ids)
        gone = [document for document in document_ids if document in there]
        removed = await unit.documents.delete_many(gone)
        for document in gone:
            unit.audit.record(scope, Action.DOCUMENT_DELETED, f"document:{document}", collection=collection_id)
        revision = await unit.changes.record(collection_id, [(document, "delete") for document in gone])
    await release(catalog, blobs, removed)
    return revision
