from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kaynak.cli import exits, output
from kaynak.cli.command import AsJson, command, with_services
from kaynak.domain import (
    OWNER,
    Collection,
    GenerationState,
    IndexEstimate,
    IndexGeneration,
    IndexVerdict,
    InvalidRequest,
    PartSpec,
)

if TYPE_CHECKING:
    from kaynak.indexing import Wanted
    from kaynak.retrieval import TestQuestion

app = typer.Typer(help="Build, verify, switch and remove what collections are searched through.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the collection.", metavar="COLLECTION")]
Number = Annotated[int, typer.Argument(help="Number of the generation: see “kaynak index list”.", metavar="NUMBER")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_SAID_SECONDS = 5.0


@app.command("list")
@command
def list_indexes(name: Name, as_json: AsJson = False) -> None:
    """List the index generations of a collection, newest first."""

    async def work(kaynak: Any) -> list[IndexGeneration]:
        found: list[IndexGeneration] = await kaynak.indexes.list(OWNER, name)
        return found

    found = with_services(work)
    if as_json:
        output.document({"items": [_fields(one) for one in found]})
        return
    output.table(
        ("generation", "state", "chunker", "embedder", "dense", "lexical", "passages", "behind", "verified"),
        [
            (
                one.id,
                "searched" if one.generation.active else one.state.value,
                *(getattr(one.generation.spec, part).name for part in ("chunker", "embedder", "dense")),
                one.generation.spec.lexical.name + (" (weights)" if one.generation.spec.weighted else ""),
                one.chunks,
                one.lag,
                "–" if one.verdict is None else "passed" if one.verdict.passed else "FAILED",
            )
            for one in found
        ],
    )
    for one in found:
        for side in one.sides:
            if side.error:
                output.note(f"Generation {one.id}, {side.side}: {side.error}")
            if side.making:
                output.note(f"Generation {one.id}, {side.side}: {side.making}")
        if one.faults:
            output.note(f"Generation {one.id} cannot take {one.faults} documents: see kaynak doctor.")


@app.command("build")
@command
def build(
    name: Name,
    chunker: Annotated[str | None, typer.Option("--chunker", help="structure, fixed, sentence or recursive.")] = None,
    embedder: Annotated[
        str | None, typer.Option("--embedder", help="Model: a name, a directory, or provider:model.")
    ] = None,
    dense: Annotated[str | None, typer.Option("--dense", help="Vector engine, such as pgvector.")] = None,
    lexical: Annotated[str | None, typer.Option("--lexical", help="Word engine, such as tantivy.")] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            help="Parameter of a part: dense.m=32, or lexical.weights=model for words as the model weighs them. "
            "Repeat for several.",
            metavar="PART.NAME=VALUE",
        ),
    ] = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only say what it would take.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until it is built.")] = True,
    as_json: AsJson = False,
) -> None:
    """Build a new index generation beside the one that is searched.

    What is not named is as in the one that is searched. Nothing that was embedded before is embedded again.
    """
    wanted = _wanted({"chunker": chunker, "embedder": embedder, "dense": dense, "lexical": lexical}, param or [])

    async def expected(kaynak: Any) -> IndexEstimate:
        found: IndexEstimate = await kaynak.estimating.estimate(OWNER, name, wanted)
        return found

    async def work(kaynak: Any) -> IndexGeneration:
        if not as_json:
            output.note(_expected(await kaynak.estimating.estimate(OWNER, name, wanted)))
        begun: IndexGeneration = await kaynak.indexes.build(OWNER, name, wanted)
        if not wait:
            return begun
        said = time.monotonic() - _SAID_SECONDS
        async for now in kaynak.indexes.watch(OWNER, name, begun.id):
            begun = now
            if not as_json and time.monotonic() - said >= _SAID_SECONDS:
                said = time.monotonic()
                output.note(_progress(now))
        return begun

    if estimate:
        found = with_services(expected)
        output.document(found) if as_json else output.line(_expected(found))
        return
    built = with_services(work)
    if as_json:
        output.document(_fields(built))
    elif built.state is GenerationState.READY:
        output.line(f"Generation {built.id} is built. Next: kaynak index verify {name} {built.id}")
    else:
        output.line(f"Generation {built.id} is {built.state}; a worker goes on with it: kaynak up, or kaynak worker")


@app.command("verify")
@command
def verify(
    name: Name,
    number: Number,
    questions: Annotated[
        Path | None,
        typer.Option(
            "--questions",
            "-q",
            help='Test questions, a JSON object in each line: {"text": "…", "documents": ["external id", …]}.',
        ),
    ] = None,
    sample: Annotated[int, typer.Option("--sample", min=1, max=1000, help="Passages that are looked for.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Compare a generation with the catalog, with exact search, and with the one that is searched."""
    known = _questions(questions) if questions else []

    async def work(kaynak: Any) -> IndexVerdict:
        found: IndexVerdict = await kaynak.verifier.verify(OWNER, name, number, questions=known, sample=sample)
        return found

    verdict = with_services(work)
    if as_json:
        output.document(verdict)
    else:
        for one in verdict.checks:
            output.line(f"{'✓' if one.passed else '✗'} {one.name}: {one.detail}")
        if verdict.passed:
            output.line(f"Generation {number} is good. Next: kaynak index switch {name} {number}")
        else:
            output.line(f"Generation {number} did not pass, and is not switched to.")
    if not verdict.passed:
        raise typer.Exit(exits.FAILED)


@app.command("switch")
@command
def switch(
    name: Name,
    number: Number,
    force: Annotated[bool, typer.Option("--force", help="Though it was not verified, or did not pass.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let searches go through a verified generation, from the next one on."""

    async def work(kaynak: Any) -> Collection:
        switched: Collection = await kaynak.indexes.switch(OWNER, name, number, force=force)
        return switched

    _switched(with_services(work), as_json=as_json)


@app.command("rollback")
@command
def rollback(name: Name, as_json: AsJson = False) -> None:
    """Let searches go through the generation again that they went through before."""

    async def work(kaynak: Any) -> Collection:
        switched: Collection = await kaynak.indexes.rollback(OWNER, name)
        return switched

    _switched(with_services(work), as_json=as_json)


@app.command("rm")
@command
def remove(name: Name, number: Number, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove a generation that is not searched, with the passages and embeddings that no other has."""

    async def work(kaynak: Any) -> None:
        found = await kaynak.indexes.get(OWNER, name, number)
        if not yes and not as_json:
            typer.confirm(f"Remove generation {number} of {name} ({found.chunks:,} passages)?", abort=True)
        await kaynak.indexes.remove(OWNER, name, number)

    with_services(work)
    if as_json:
        output.document({"removed": number})
    else:
        output.line(f"Removed generation {number} of {name}.")


def _switched(collection: Collection, *, as_json: bool) -> None:
    if as_json:
        output.document(collection)
    else:
        output.line(f"{collection.name} is searched through generation {collection.generation.id} now.")


def _wanted(names: dict[str, str | None], params: list[str]) -> Wanted:
    """Returns what the options say.

    Raises:
        InvalidRequest: A parameter is of a part that is not named, or has no name or value.
    """
    from kaynak.indexing import Wanted

    values: dict[str, dict[str, Any]] = {part: {} for part, name in names.items() if name is not None}
    for one in params:
        key, equals, value = one.partition("=")
        part, dot, name = key.partition(".")
        if not equals or not dot or part not in values:
            raise InvalidRequest(
                f"“{one}” is not a parameter of a part that is named.", hint="Write: --dense pgvector -p dense.m=32"
            )
        try:
            values[part][name] = json.loads(value)
        except (ValueError, RecursionError):
            values[part][name] = value
    return Wanted(**{part: PartSpec(str(names[part]), given) for part, given in values.items()})


def _questions(path: Path) -> list[TestQuestion]:
    """Reads test questions.

    Raises:
        InvalidRequest: A line is not one; the message names it.
    """
    from kaynak.retrieval import TestQuestion

    found: list[TestQuestion] = []
    try:
        lines = (sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")).splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidRequest(f"{path} cannot be read: {exc}") from exc
    for at, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            given = json.loads(line)
            documents = given["documents"]
            grades = dict.fromkeys(documents, 1.0) if isinstance(documents, list) else documents
            found.append(TestQuestion(str(given["text"]), {str(name): float(how) for name, how in grades.items()}))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as exc:
            raise InvalidRequest(
                f"Line {at} of {path} is not a test question.",
                hint='Write {"text": "…", "documents": ["external id", …]} in each line.',
            ) from exc
    return found


def _expected(found: IndexEstimate) -> str:
    price = "price unknown" if found.price is None else f"${found.price:.2f}" if found.price else "free"
    if found.seconds is None:
        duration = "as long as the provider takes"
    elif found.seconds < 90:
        duration = f"about {max(1, round(found.seconds))} s"
    else:
        duration = f"about {round(found.seconds / 60)} min"
    return (
        f"{found.passages:,} passages, {found.texts:,} texts to embed ({found.tokens:,} tokens, {price}), "
        f"{duration}, {found.bytes / 1_000_000:,.0f} MB on disk."
    )


def _progress(now: IndexGeneration) -> str:
    sides = {one.side: one for one in now.sides}
    parts = [f"{now.embedded:,} of {now.chunks:,} passages embedded"]
    for side in ("dense", "lexical"):
        state = sides.get(side)
        if state is None:
            parts.append(f"{side} waits")
        elif state.error:
            parts.append(f"{side} waits: {state.error}")
        elif state.making:
            parts.append(f"{side}: {state.making}")
        else:
            parts.append(f"{side} done" if state.revision else f"{side} {state.entries:,}")
    return f"Generation {now.id}: {', '.join(parts)}"


def _fields(found: IndexGeneration) -> dict[str, Any]:
    return {
        "id": found.id,
        "active": found.generation.active,
        "spec": found.generation.spec,
        "dimensions": found.generation.dimensions,
        **{
            name: getattr(found, name)
            for name in ("state", "chunks", "embedded", "revision", "lag", "faults", "sides", "verdict")
        },
        "created_at": found.created_at,
        "activated_at": found.activated_at,
    }
