from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kaynak.client.both import Both
from kaynak.client.calls import Call, as_, given, names_of
from kaynak.domain import Answer, Json, SearchResult


def _search(
    query: str,
    collections: str | Sequence[str],
    *,
    filter: Mapping[str, Json] | None = None,  # noqa: A002 - the name callers see
    limit: int | None = None,
    offset: int | None = None,
    mode: str | None = None,
    group_by: str | None = None,
    min_revision: Mapping[str, int] | None = None,
    dense_weight: float | None = None,
    explain: bool | None = None,
    explain_document: str | None = None,
) -> Call[SearchResult]:
    """Searches one or more collections; options left out are the server's defaults."""
    body = given(
        query=query,
        collections=names_of(collections),
        filter=filter,
        limit=limit,
        offset=offset,
        mode=mode,
        group_by=group_by,
        min_revision=min_revision,
        dense_weight=dense_weight,
        explain=explain,
        explain_document=explain_document,
    )
    return Call("POST", "/v1/search", as_(SearchResult), body=body)


def asked(question: str, collections: str | Sequence[str], **options: Any) -> Call[Answer]:
    """Answers from the sources. Options are the fields of ``POST /v1/ask``: ``model``, ``policy`` and so on."""
    body = given(question=question, collections=names_of(collections), **options)
    return Call("POST", "/v1/ask", as_(Answer), body=body)


class AskingCalls:
    """How both clients search and ask."""

    search = Both(_search)
    ask = Both(asked)
