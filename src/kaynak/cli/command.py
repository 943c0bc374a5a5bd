"""What all commands share: options, errors without tracebacks, and the open services."""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar

import typer

from kaynak.cli import exits, output
from kaynak.domain import OWNER, CollectionNotFound, InvalidRequest, KaynakError

if TYPE_CHECKING:
    from kaynak.app import Kaynak
    from kaynak.domain import Collection
    from kaynak.settings import Settings

P = ParamSpec("P")
ResultT = TypeVar("ResultT")


@dataclass(slots=True)
class Invocation:
    """What was typed before the command.

    Attributes:
        arguments: Settings given as options.
        debug: Whether tracebacks are wanted.
    """

    arguments: dict[str, Any] = field(default_factory=dict)
    debug: bool = False

    def settings(self) -> Settings:
        """Returns the settings in force."""
        from kaynak.settings import load_settings

        return load_settings(**self.arguments)


invocation = Invocation()
"""Of this process: one command line, one invocation."""

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
CollectionOption = Annotated[
    str, typer.Option("--collection", "-c", envvar="KAYNAK_COLLECTION", help="Name of the collection.")
]
CollectionsOption = Annotated[
    list[str] | None,
    typer.Option("--collection", "-c", help="Name of a collection; repeat for several. Default: all of them."),
]
FilterOption = Annotated[
    str | None,
    typer.Option("--filter", "-f", help='Condition on metadata as JSON: {"team": "hr", "year": {"$gte": 2024}}.'),
]


def command(function: Callable[P, None]) -> Callable[P, None]:
    """Makes every end of ``function`` an exit code and a line for people, or a JSON document."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        as_json = bool(kwargs.get("as_json"))
        try:
            function(*args, **kwargs)
        except KaynakError as error:
            if invocation.debug:
                raise
            output.error(error, as_json=as_json)
            raise typer.Exit(exits.exit_code_of(error)) from error
        except KeyboardInterrupt as interrupt:
            raise typer.Exit(exits.INTERRUPTED) from interrupt
        except BrokenPipeError as closed:
            # The reader (head, less) has gone; Python would complain about it once more at its exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(exits.OK) from closed
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if invocation.debug:
                raise
            output.error(_unexpected(error), as_json=as_json)
            raise typer.Exit(exits.INTERNAL) from error

    return run


def lists_by_default(app: typer.Typer, listing: Callable[..., None]) -> None:
    """Makes the bare name of a group of commands do what its ``list`` does."""

    @app.callback(invoke_without_command=True, help=app.info.help)
    def bare(context: typer.Context, as_json: AsJson = False) -> None:
        if context.invoked_subcommand is None:
            listing(as_json=as_json)
        elif as_json:
            raise typer.BadParameter(f"Write it behind {context.invoked_subcommand}.", param_hint="--json")


def _unexpected(error: Exception) -> KaynakError:
    return KaynakError(
        f"Something unexpected happened ({type(error).__name__}).",
        hint="Run it again as “kaynak --debug …” and report what it prints.",
    )


def run_async(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Runs ``work`` to its end on the fast event loop, where there is one."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


def with_services(work: Callable[[Kaynak], Awaitable[ResultT]], *, worker: bool = False) -> ResultT:
    """Opens the services on the data directory, whether or not a server runs there, and runs ``work``.

    Args:
        work: What to do.
        worker: Whether jobs are to be done here too.
    """

    async def opened() -> ResultT:
        async with services(worker=worker) as kaynak:
            return await work(kaynak)

    return run_async(opened())


@asynccontextmanager
async def services(*, worker: bool = False, least: str = "WARNING") -> AsyncIterator[Kaynak]:
    """Opens the services and, on leaving, closes them.

    Args:
        worker: Whether jobs are to be done here too.
        least: Log level of a command; a lower one in the settings wins only if it was chosen.
    """
    from kaynak.app import Kaynak

    async with Kaynak.open(logged_settings(least), worker=worker) as kaynak:
        yield kaynak


def logged_settings(least: str = "WARNING") -> Settings:
    """Returns the settings in force, after setting up the logs as they say.

    Args:
        least: Log level, unless the settings choose one.
    """
    from kaynak.logs import configure_logs

    settings = invocation.settings()
    chosen = "level" in settings.log.model_fields_set
    level: Any = "DEBUG" if invocation.debug else settings.log.level if chosen else least
    configure_logs(level, settings.log.format)
    return settings


async def chosen_collections(kaynak: Kaynak, names: list[str] | None) -> tuple[str, ...]:
    """Returns ``names``, or the names of all collections.

    Raises:
        CollectionNotFound: There are none at all.
    """
    if names:
        return tuple(dict.fromkeys(names))
    found = [collection.name async for collection in all_collections(kaynak)]
    if not found:
        raise CollectionNotFound("There is no collection yet.", hint="Add documents: kaynak add PATH -c NAME")
    return tuple(found)


async def all_collections(kaynak: Kaynak) -> AsyncIterator[Collection]:
    """Yields every collection by name."""
    after: str | None = None
    while page := await kaynak.collections.list(OWNER, after=after, limit=200):
        for collection in page:
            yield collection
        after = page[-1].name


def parsed_filter(text: str | None) -> Any:
    """Returns the filter typed as JSON.

    Raises:
        InvalidRequest: It is not JSON.
        InvalidFilter: It is not a filter.
    """
    import json

    from kaynak.domain import parse_filter

    if text is None:
        return None
    try:
        return parse_filter(json.loads(text))
    except (ValueError, RecursionError) as exc:
        raise InvalidRequest("--filter is not JSON.", hint="""Quote it: --filter '{"team": "hr"}'""") from exc


def data_dir_option(value: Path | None) -> None:
    """Notes the data directory that was given as an option."""
    if value is not None:
        invocation.arguments["data_dir"] = value
