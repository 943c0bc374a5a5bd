from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kaynak import __version__
from kaynak.cli import (
    add,
    ask,
    audit,
    chat,
    collections,
    config,
    conversations,
    docs,
    doctor,
    groups,
    index,
    jobs,
    keys,
    migrate,
    models,
    search,
    secrets,
    up,
    usage,
    users,
    worker,
)
from kaynak.cli.command import command, data_dir_option, invocation

app = typer.Typer(
    name="kaynak",
    help="Search your documents, and get answers in which every sentence points at its source.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kaynak {__version__}")
        raise typer.Exit


@app.callback()
def root(
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Where everything is kept; default: see “kaynak config”.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks, and all logs.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Search your documents, and get answers in which every sentence points at its source."""
    data_dir_option(data_dir)
    invocation.debug = debug


app.command("up")(command(up.up))
app.command("add")(command(add.add))
app.command("search")(command(search.search))
app.command("ask")(command(ask.ask))
app.command("chat")(command(chat.chat))
app.add_typer(conversations.app, name="conversations")
app.add_typer(collections.app, name="collections")
app.add_typer(docs.app, name="docs")
app.add_typer(index.app, name="index")
app.add_typer(jobs.app, name="jobs")
app.add_typer(models.app, name="models")
app.command("usage")(command(usage.usage))
app.add_typer(usage.budgets, name="budgets")
app.add_typer(users.app, name="users")
app.add_typer(groups.app, name="groups")
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")
app.add_typer(secrets.app, name="secrets")
app.command("doctor")(command(doctor.doctor))
app.command("worker")(command(worker.worker))
app.command("migrate")(command(migrate.migrate))
app.command("config")(command(config.config))


def main() -> None:
    """Runs the command line."""
    app()
