from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import copyfileobj
from typing import Annotated

import typer

from kaynak.cli import exits, output
from kaynak.cli.command import AsJson, CollectionOption, run_async
from kaynak.cli.fetch import fetched
from kaynak.cli.files import Found, Skipped, discover
from kaynak.cli.metadata import MetadataOption, parsed_metadata
from kaynak.domain import InvalidRequest


def add(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, patterns, archives, addresses (https://…), or - for standard input.", metavar="PATH…"
        ),
    ],
    collection: CollectionOption = "default",
    name: Annotated[
        str | None, typer.Option("--name", help="External id of standard input, or of a single file.")
    ] = None,
    prefix: Annotated[str, typer.Option("--prefix", help="Put before every external id.")] = "",
    metadata: MetadataOption = None,
    title: Annotated[str | None, typer.Option("--title", help="Title of a single file.")] = None,
    readers: Annotated[
        list[str] | None,
        typer.Option(
            "--readers",
            metavar="WHO",
            help="Let only this person (e-mail address or id) or group (name or id) and the collection's owners read "
            "them; repeat. An empty one: the owners only. Default: as it was, and everybody for new documents.",
        ),
    ] = None,
    password: Annotated[
        str | None,
        typer.Option("--password", envvar="KAYNAK_PASSWORD", help="For encrypted files; asked for on a terminal."),
    ] = None,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="Also remove the documents of the collection (under --prefix) that are not among these files.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before removing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add files, folders, patterns, archives, addresses of the web or standard input to a collection."""
    from kaynak.cli.adding import Options, add_files

    if prune and (name or "-" in paths):
        raise InvalidRequest(
            "--prune compares whole folders.", hint="Leave out --name, or remove documents one by one."
        )
    options = Options(
        collection=collection,
        metadata=parsed_metadata(metadata),
        title=title,
        # As in a form of HTTP: that the field is there narrows, whatever names it has.
        readers=tuple(name for name in readers if name) if readers else None,
        password=password,
        quiet=as_json,
        prefix=prefix,
        prune=prune,
        yes=yes,
    )
    addresses = [path for path in paths if path.lower().startswith(("http://", "https://"))]
    if addresses and prune:
        raise InvalidRequest("--prune compares whole folders.", hint="Add addresses without it.")
    paths = [path for path in paths if path not in addresses]
    with _standard_input(paths, name) as (files, skipped), fetched(addresses) as (found, missed):
        files, skipped = [*files, *found], [*skipped, *missed]
        files = _named(files, name, title, prefix)
        if not files and not skipped:
            raise InvalidRequest("There is no file to add.", hint="Hidden files in folders are passed over.")
        report = run_async(add_files(files, skipped, options))
    if as_json:
        output.document(report.summary())
    else:
        report.print()
    if report.interrupted:
        raise typer.Exit(exits.INTERRUPTED)
    if report.failures or report.job_error or report.not_pruned:
        raise typer.Exit(exits.FAILED)


@contextmanager
def _standard_input(paths: list[str], name: str | None) -> Iterator[tuple[list[Found], list[Skipped]]]:
    """Finds the files; standard input is kept in a temporary file meanwhile, since its size is not known."""
    entries = list(discover(path for path in paths if path != "-"))
    files = [entry for entry in entries if isinstance(entry, Found)]
    skipped = [entry for entry in entries if isinstance(entry, Skipped)]
    if "-" not in paths:
        yield files, skipped
        return
    if not name or len(paths) > 1:
        raise InvalidRequest("Standard input needs a name, and is added alone.", hint="kaynak add - --name notes.md")
    with tempfile.TemporaryDirectory(prefix="kaynak-") as folder:
        target = Path(folder, "input")
        with target.open("wb") as file:
            copyfileobj(sys.stdin.buffer, file)
        yield [Found(target, name)], skipped


def _named(files: list[Found], name: str | None, title: str | None, prefix: str) -> list[Found]:
    if (name or title) and len(files) != 1:
        raise InvalidRequest("--name and --title are for a single file.", hint="Use --prefix for many.")
    if name:
        files = [replace(files[0], external_id=name)]
    named = [replace(file, external_id=prefix + file.external_id) for file in files]
    seen: dict[str, Path] = {}
    for file in named:
        if file.external_id in seen:
            raise InvalidRequest(
                f"{seen[file.external_id]} and {file.path} would both be kept as “{file.external_id}”.",
                hint="Add their folders one at a time, each with its own --prefix.",
            )
        seen[file.external_id] = file.path
    return named
