from __future__ import annotations

from typing import Annotated, Any

import typer

from kaynak.cli import exits, output
from kaynak.cli.command import (
    AsJson,
    CollectionsOption,
    FilterOption,
    chosen_collections,
    parsed_filter,
    with_services,
)
from kaynak.domain import OWNER, GroupBy, Hit, SearchMode, SearchRequest, SearchResult


def search(
    query: Annotated[list[str], typer.Argument(help="What you are looking for.", metavar="QUERY…")],
    collection: CollectionsOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Hits to show.")] = 5,
    offset: Annotated[int, typer.Option("--offset", min=0, help="Hits to skip.")] = 0,
    mode: Annotated[SearchMode, typer.Option("--mode", help="By meaning, by words, or both.")] = SearchMode.HYBRID,
    filter: FilterOption = None,  # noqa: A002 - the option's name
    group_by: Annotated[
        GroupBy, typer.Option("--group-by", help="Passages, or the best one of each document.")
    ] = GroupBy.PASSAGE,
    explain: Annotated[bool, typer.Option("--explain", help="Show why each hit stands where it stands.")] = False,
    explain_document: Annotated[
        str | None, typer.Option("--why-not", help="External id of a document: say where it was lost.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search by meaning and by words."""
    condition = parsed_filter(filter)

    async def work(kaynak: Any) -> SearchResult:
        request = SearchRequest(
            query=" ".join(query),
            collections=await chosen_collections(kaynak, collection),
            mode=mode,
            filter=condition,
            limit=limit,
            offset=offset,
            group_by=group_by,
            explain=explain or explain_document is not None,
            explain_document=explain_document,
        )
        found: SearchResult = await kaynak.searcher.search(request, OWNER)
        return found

    result = with_services(work)
    if as_json:
        output.document(result)
    else:
        _show(result, " ".join(query), offset)
    if not result.hits:
        raise typer.Exit(exits.NOTHING_FOUND)


def _show(result: SearchResult, query: str, offset: int) -> None:
    from rich.text import Text

    from kaynak.cli.snippets import highlighted, snippet

    console = output.console()
    for number, hit in enumerate(result.hits, offset + 1):
        head = Text(f"{number}. ", style="dim")
        head.append(output.printable(hit.title), style="bold")
        head.append(f"  {place(hit)}  {hit.score:.3f}", style="dim")
        console.print(head)
        if hit.headings:
            console.print(Text("   " + output.printable(" › ".join(hit.headings)), style="dim"))
        console.print(Text("   ").append_text(highlighted(output.printable(snippet(hit.text, query)), query)))
        if hit.suspicious:
            warning = f"   ⚠ This passage may be meant to steer a model: {'; '.join(hit.suspicious)}."
            console.print(Text(warning, style="yellow"))
        if hit.explanation:
            console.print(Text("   " + _why(hit), style="dim"))
        console.print()
    for sentence in result.degraded:
        output.note(f"kaynak: {sentence}")
    absent = result.trace.absent if result.trace else None
    if absent:
        output.line(f"{absent.external_id}: {absent.reason}")
    if not result.hits:
        output.note("Nothing found.")
    elif result.more:
        output.note(f"There is more: --offset {offset + len(result.hits)}")


def place(hit: Hit) -> str:
    """Returns where a hit is: collection, document, pages."""
    where = f"{hit.collection}/{hit.external_id}"
    if hit.pages:
        first, last = hit.pages
        where += f", p. {first}" if first == last else f", pp. {first}–{last}"
    return output.printable(where)


def _why(hit: Hit) -> str:
    assert hit.explanation is not None  # noqa: S101 - the caller looked
    sides = []
    for name, side in (("words", hit.explanation.lexical), ("meaning", hit.explanation.dense)):
        sides.append(f"{name} #{side.rank} ({side.normalised:.2f})" if side else f"{name} –")
    weights = ", ".join(f"{name} {weight:.2f}" for name, weight in hit.explanation.weights.items())
    return "; ".join([*sides, f"weights {weights}", *hit.explanation.notes])
