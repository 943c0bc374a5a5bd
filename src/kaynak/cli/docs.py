from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any
from uuid import UUID

import typer

from kaynak.cli import output, removing
from kaynak.cli.command import AsJson, CollectionOption, FilterOption, command, parsed_filter, with_services
from kaynak.cli.metadata import MetadataOption, parsed_metadata
from kaynak.domain import OWNER, Document, InvalidRequest, JobState, KaynakError, Principal

app = typer.Typer(help="List, show, read, change and remove documents.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Its external id (with -c), or its id.", metavar="DOCUMENT")]


async def _find(kaynak: Any, collection: str, name: str) -> Document:
    """Finds a document by its id, or by its external id in ``collection``."""
    try:
        number = UUID(name)
    except ValueError:
        found: Document = await kaynak.documents.find(OWNER, collection, name)
        return found
    by_id: Document = await kaynak.documents.get(OWNER, number)
    return by_id


async def _documents(kaynak: Any, collection: str, condition: Any, limit: int) -> AsyncIterator[Document]:
    after: UUID | None = None
    left = limit
    while left > 0:
        size = min(left, 200)
        page = await kaynak.documents.list(OWNER, collection, condition=condition, after=after, limit=size)
        for document in page:
            yield document
        if len(page) < size:
            return
        left -= len(page)
        after = page[-1].id


@app.command("list")
@command
def list_documents(
    collection: CollectionOption = "default",
    filter: FilterOption = None,  # noqa: A002 - the option's name
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Show at most so many.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """List the documents of a collection."""
    condition = parsed_filter(filter)

    async def work(kaynak: Any) -> list[Document]:
        await kaynak.collections.get(OWNER, collection)
        return [document async for document in _documents(kaynak, collection, condition, limit + 1)]

    found, more = output.at_most(with_services(work), limit)
    if as_json:
        output.document({"items": found, "more": more})
        return
    output.table(
        ("document", "title", "state", "pages", "passages", "size", "id"),
        [(d.external_id, d.title, d.state.value, d.pages, d.chunks, d.size, d.id) for d in found],
    )
    if more:
        output.there_is_more(limit)


@app.command("show")
@command
def show(name: Name, collection: CollectionOption = "default", as_json: AsJson = False) -> None:
    """Show what is known of a document."""

    async def work(kaynak: Any) -> Document:
        return await _find(kaynak, collection, name)

    found = with_services(work)
    if as_json:
        output.document(found)
        return
    from kaynak.api import dumps

    rows: list[tuple[str, object]] = [
        ("id", found.id),
        ("collection", found.collection),
        ("document", found.external_id),
        ("title", found.title),
        ("state", found.state.value),
        ("version", found.version),
        ("type", found.media_type),
        ("size", found.size),
        ("language", found.language),
        ("pages", found.pages),
        ("passages", found.chunks),
        ("metadata", dumps(found.metadata).decode()),
        ("updated", found.updated_at.isoformat(timespec="seconds")),
    ]
    rows += [("warning", warning) for warning in found.warnings]
    if found.error:
        rows.append(("error", f"{found.error} ({found.error_code})"))
    output.table(("", ""), rows)


@app.command("text")
@command
def text(
    name: Name,
    collection: CollectionOption = "default",
    version: Annotated[int | None, typer.Option("--version", min=1, help="Number of the version.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the text of a document: what citations refer to."""

    async def work(kaynak: Any) -> Any:
        document = await _find(kaynak, collection, name)
        return document.id, await kaynak.documents.text(OWNER, document.id, version)

    number, found = with_services(work)
    if as_json:
        output.document(
            {
                "document_id": number,
                "version_id": found.version_id,
                "version": found.number,
                "text": found.text,
                "pages": found.pages,
                "blocks": found.blocks,
            }
        )
    else:
        output.line(found.text)


async def _embedded_anew(kaynak: Any, job_id: UUID) -> None:
    """Waits for the end of a job; a worker runs here for it, in case no server does."""
    stop = asyncio.Event()
    working = asyncio.create_task(kaynak.worker.run(stop))
    try:
        async for job in kaynak.jobs.watch(OWNER, job_id):
            if job.state is JobState.FAILED:
                raise KaynakError(
                    f"The title is changed, but its passages were not embedded anew: {job.error}",
                    hint=f"Run “kaynak jobs requeue {job_id}” when the cause is gone.",
                )
    finally:
        stop.set()
        await working


@app.command("update")
@command
def update(
    name: Name,
    collection: CollectionOption = "default",
    title: Annotated[str | None, typer.Option("--title", help="Its new title.")] = None,
    metadata: MetadataOption = None,
    as_json: AsJson = False,
) -> None:
    """Change the title or the metadata of a document; keys given are added to those it has."""
    changes = parsed_metadata(metadata)
    if title is None and changes is None:
        raise InvalidRequest("There is nothing to change.", hint="Give --title or --metadata key=value.")

    async def work(kaynak: Any) -> Document:
        document = await _find(kaynak, collection, name)
        merged = None if changes is None else {**document.metadata, **changes}
        done = await kaynak.documents.update(OWNER, document.id, metadata=merged, title=title)
        if done.job is not None:
            await _embedded_anew(kaynak, done.job.id)
        changed: Document = await kaynak.documents.get(OWNER, document.id)
        return changed

    changed = with_services(work, worker=title is not None)
    if as_json:
        output.document(changed)
    else:
        output.line(f"Changed {changed.external_id}.")


@app.command("readers")
@command
def readers(
    name: Name,
    who: Annotated[
        list[str] | None,
        typer.Argument(help="E-mail addresses or ids of people, names or ids of groups; none: show.", metavar="[WHO…]"),
    ] = None,
    collection: CollectionOption = "default",
    everybody: Annotated[bool, typer.Option("--everybody", help="Let all read it who read the collection.")] = False,
    nobody: Annotated[bool, typer.Option("--nobody", help="Let only the owners of the collection read it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show or replace who may read a document, of those who may read its collection."""
    if sum((bool(who), everybody, nobody)) > 1:
        raise InvalidRequest("Give names, --everybody or --nobody: one of them.")

    async def work(kaynak: Any) -> Sequence[Principal] | None:
        document = await _find(kaynak, collection, name)
        if who or everybody or nobody:
            await kaynak.documents.update(OWNER, document.id, readers=None if everybody else who or [])
        found: Sequence[Principal] | None = await kaynak.documents.readers(OWNER, document.id)
        return found

    found = with_services(work)
    if as_json:
        output.document({"readers": found})
    elif found is None:
        output.line("All who may read the collection.")
    else:
        output.table(("who", "kind"), [(one.name, one.kind) for one in found])
        output.note("And the owners of the collection.")


@app.command("rm")
@command
def remove(
    names: Annotated[
        list[str] | None, typer.Argument(help="External ids (with -c), or ids.", metavar="[DOCUMENT…]")
    ] = None,
    collection: CollectionOption = "default",
    filter: FilterOption = None,  # noqa: A002 - the option's name
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before removing all that match.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove documents with everything derived from them, and prove it. There is no way back.

    By their names, or with --filter all of a collection that match; those are counted, and you are asked.
    """
    if bool(names) == (filter is not None):
        raise InvalidRequest("Give documents or --filter: one of them.")
    if names:

        async def named(kaynak: Any) -> list[Document]:
            return [await _find(kaynak, collection, name) for name in names]

        removing.by_name(named, as_json=as_json)
        return
    condition = parsed_filter(filter)
    if condition is None:
        raise InvalidRequest(
            "That filter matches every document.", hint=f"Remove the collection: kaynak collections rm {collection}"
        )
    removing.by_filter(collection, condition, ask=not yes and not as_json, as_json=as_json)
