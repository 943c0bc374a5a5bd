from __future__ import annotations

from kaynak.domain import InvalidQuery, InvalidRequest, SearchRequest, clean

LIMIT_MOST = 1000
"""Hits of one page."""

OFFSET_MOST = 10_000
"""Hits that can be skipped; fewer are found where the collections have fewer."""

COLLECTIONS_MOST = 100
"""Collections of one search."""


def check(request: SearchRequest, query_chars: int) -> None:
    """Returns if the request can be answered.

    Raises:
        InvalidQuery: The query is empty, longer than ``query_chars``, or not text.
        InvalidRequest: Something else of it is out of bounds.
    """
    query = request.query
    if len(query) > query_chars:
        raise InvalidQuery(
            f"The query has {len(query):,} characters; at most {query_chars:,} are allowed.",
            hint="Ask something shorter.",
        )
    if not query.strip():
        raise InvalidQuery("The query is empty.", hint="Say what you are looking for.")
    if clean(query) != query.replace("\r\n", "\n").replace("\r", "\n"):
        raise InvalidQuery("The query has a character that is not text.", hint="Remove control characters.")
    if not 1 <= len(request.collections) <= COLLECTIONS_MOST:
        raise InvalidRequest(f"A search goes to 1 to {COLLECTIONS_MOST} collections.", hint="Name them.")
    if not 1 <= request.limit <= LIMIT_MOST:
        raise InvalidRequest(f"limit: from 1 to {LIMIT_MOST:,}.", hint="Use offset for more.")
    if not 0 <= request.offset <= OFFSET_MOST:
        raise InvalidRequest(f"offset: from 0 to {OFFSET_MOST:,}.", hint="Make the query or the filter narrower.")
    if request.dense_weight is not None and not 0.0 <= request.dense_weight <= 1.0:
        raise InvalidRequest("dense_weight: from 0 to 1.")
