from __future__ import annotations

from contextlib import aclosing
from typing import Annotated, Any

import typer

from kaynak.cli import exits, output
from kaynak.cli.answering import (
    DepthOption,
    FallbackOption,
    MaxTokensOption,
    ModelOption,
    PolicyOption,
    ReasoningOption,
    TemperatureOption,
)
from kaynak.cli.answers import AnswerPrinter
from kaynak.cli.command import (
    AsJson,
    CollectionsOption,
    FilterOption,
    chosen_collections,
    parsed_filter,
    with_services,
)
from kaynak.domain import OWNER, Answer, AnswerCompleted, AskRequest, ModelSettings, SearchRequest, Unavailable


def ask(
    question: Annotated[list[str], typer.Argument(help="Your question.", metavar="QUESTION…")],
    collection: CollectionsOption = None,
    model: ModelOption = None,
    fallback: FallbackOption = None,
    policy: PolicyOption = None,
    depth: DepthOption = None,
    temperature: TemperatureOption = None,
    max_tokens: MaxTokensOption = None,
    reasoning: ReasoningOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="Passages to answer from.")] = 10,
    filter: FilterOption = None,  # noqa: A002 - the option's name
    fresh: Annotated[bool, typer.Option("--fresh", help="Answer anew, even if the answer is remembered.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask, and get an answer with the exact quotes it rests on."""
    condition = parsed_filter(filter)

    async def work(kaynak: Any) -> Answer:
        search = SearchRequest(
            query=" ".join(question),
            collections=await chosen_collections(kaynak, collection),
            filter=condition,
            limit=limit,
        )
        request = AskRequest(
            search,
            model=model,
            fallbacks=None if fallback is None else tuple(fallback),
            settings=ModelSettings(temperature, max_tokens, reasoning),
            policy=policy,
            depth=depth,
            fresh=fresh,
        )
        return await _answered(kaynak, request, as_json=as_json)

    answer = with_services(work)
    if as_json:
        output.document(answer)
    if not answer.found:
        raise typer.Exit(exits.NOTHING_FOUND)


async def _answered(kaynak: Any, request: AskRequest, *, as_json: bool) -> Answer:
    """Returns the answer, after showing it while it was written unless it is wanted as JSON."""
    with AnswerPrinter(silent=as_json) as printer:
        async with aclosing(kaynak.asker.stream(request, OWNER)) as events:
            async for event in events:
                printer.show(event)
                if isinstance(event, AnswerCompleted):
                    return event.answer
    raise Unavailable("The answer ended before it was complete.", hint="Try again.")
