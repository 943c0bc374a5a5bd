from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kaynak.cli import exits, output
from kaynak.cli.command import AsJson, command, with_services
from kaynak.domain import OWNER

if TYPE_CHECKING:
    from kaynak.generation.models import Price, ProviderStatus

app = typer.Typer(help="List providers of language models, and keep their keys.", invoke_without_command=True)

Provider = Annotated[str, typer.Argument(help="Name of the provider: openai.", metavar="PROVIDER")]
Check = Annotated[bool, typer.Option("--check", help="Ask those that are configured now.")]


@app.callback()
def models(context: typer.Context, check: Check = False, as_json: AsJson = False) -> None:
    """List providers of language models: which can be asked, and what to do for the others."""
    if context.invoked_subcommand is None:
        _list(check=check, as_json=as_json)


@command
def _list(check: bool, as_json: bool) -> None:
    async def work(kaynak: Any) -> list[ProviderStatus]:
        found: list[ProviderStatus] = await kaynak.models.statuses(OWNER, check=check)
        return found

    found = with_services(work)
    if as_json:
        output.document({"items": found})
        return
    output.table(
        ("provider", "name", "ready", "answers", "models", "dollars per million tokens, in / out", "what to do"),
        [
            (
                status.title,
                status.name,
                "yes" if status.configured else "no",
                _answers(status),
                len(status.models) if status.answers else "–",
                _range([model.price for model in status.models]),
                status.todo or status.problem or "",
            )
            for status in found
        ],
    )
    if not check:
        output.note("Ask them now: kaynak models --check")


@app.command("show")
@command
def show(provider: Provider, as_json: AsJson = False) -> None:
    """Ask a provider for its models now, and show what they cost where that is known."""

    async def work(kaynak: Any) -> ProviderStatus:
        found: list[ProviderStatus] = await kaynak.models.statuses(OWNER, only=provider, check=True)
        return found[0]

    status = with_services(work)
    if as_json:
        output.document(status)
    else:
        output.table(
            ("model", "tokens", "in", "out", "cached"),
            [(model.name, model.context_tokens, *_dollars(model.price)) for model in status.models],
        )
        output.note(_summary(status))
    if not status.answers:
        raise typer.Exit(exits.UNAVAILABLE)


@app.command("set-key")
@command
def set_key(provider: Provider, as_json: AsJson = False) -> None:
    """Store a provider's key, encrypted. It is asked for, or read from standard input."""
    prompted = sys.stdin.isatty()
    key = typer.prompt(f"Key of {provider}", hide_input=True, err=True) if prompted else sys.stdin.readline()

    async def work(kaynak: Any) -> ProviderStatus:
        status: ProviderStatus = await kaynak.models.store_key(OWNER, provider, key.strip())
        return status

    status = with_services(work)
    if as_json:
        output.document(status)
    else:
        output.line(f"The key of {status.title} is stored.")


@app.command("remove-key")
@command
def remove_key(provider: Provider, as_json: AsJson = False) -> None:
    """Remove a provider's stored key; one of the environment counts again."""

    async def work(kaynak: Any) -> None:
        await kaynak.models.remove_key(OWNER, provider)

    with_services(work)
    if as_json:
        output.document({"removed": provider})
    else:
        output.line(f"The stored key of {provider} is removed.")


def _answers(status: ProviderStatus) -> str:
    if status.answers is None:
        return "–"
    return f"yes ({status.milliseconds:.0f} ms)" if status.answers else "no"


def _summary(status: ProviderStatus) -> str:
    if status.answers:
        return f"{status.title}: {len(status.models)} models; dollars per million tokens."
    return f"{status.title} cannot be asked: {status.todo or status.problem}"


def _dollars(price: Price | None) -> tuple[str, str, str]:
    if price is None:
        return "?", "?", "?"
    return _figure(price.input), _figure(price.output), "" if price.cached is None else _figure(price.cached)


def _range(prices: list[Price | None]) -> str:
    known = [price for price in prices if price is not None]
    if not known:
        return "–"
    inputs, outputs = sorted(price.input for price in known), sorted(price.output for price in known)
    return f"{_span(inputs)} / {_span(outputs)}"


def _span(values: list[float]) -> str:
    return _figure(values[0]) if values[0] == values[-1] else f"{_figure(values[0])}–{_figure(values[-1])}"


def _figure(value: float) -> str:
    return "free" if value == 0 else f"{value:.4g}"
