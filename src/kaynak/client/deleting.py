from __future__ import annotations

from collections.abc import Mapping

from kaynak.client.both import Both
from kaynak.client.calls import LONG_SECONDS, Call, as_, collection_path, given
from kaynak.client.results import DeletedDocuments
from kaynak.domain import Json


def _delete_documents(
    collection: str,
    filter: Mapping[str, Json],  # noqa: A002 - the name callers see
    *,
    limit: int | None = None,
    dry_run: bool = False,
) -> Call[DeletedDocuments]:
    """Deletes the documents that match and that you may read, with everything derived from them.

    There is no way back; count first, with ``dry_run``.

    Args:
        collection: Name.
        filter: Condition on metadata; an empty one is refused.
        limit: How many to delete at most; the server's limit (10,000) without it. Call again for the others.
        dry_run: Whether to count only.

    Raises:
        CollectionNotFound: There is none of that name.
        InvalidFilter: It is not a filter, or empty.
        Forbidden: You may not change the collection.
    """
    return Call(
        "POST",
        f"{collection_path(collection)}/documents/delete",
        as_(DeletedDocuments),
        body=given(filter=dict(filter), dry_run=dry_run, limit=limit),
        safe=False,
        seconds=LONG_SECONDS,
    )


class DeletingCalls:
    """What both clients can do to many documents at once."""

    delete_documents = Both(_delete_documents)
