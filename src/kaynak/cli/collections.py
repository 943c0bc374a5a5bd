from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Any

import typer

from kaynak.cli import output
from kaynak.cli.answering import (
    DepthOption,
    FallbackOption,
    MaxTokensOption,
    ModelOption,
    PolicyOption,
    ReasoningOption,
    TemperatureOption,
)
from kaynak.cli.command import AsJson, all_collections, command, lists_by_default, with_services
from kaynak.domain import (
    OWNER,
    Answering,
    Collection,
    CollectionRole,
    GenerationSpec,
    Grant,
    ModelSettings,
    PartSpec,
    validate_collection_name,
)

app = typer.Typer(help="List, create, show, change, rename and remove collections.")

Name = Annotated[str, typer.Argument(help="Name of the collection.", metavar="NAME")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("list")
@command
def list_collections(as_json: AsJson = False) -> None:
    """List all collections."""

    async def work(kaynak: Any) -> list[Collection]:
        return [collection async for collection in all_collections(kaynak)]

    found = with_services(work)
    if as_json:
        output.document({"items": found})
        return
    if not found:
        output.note("No collections yet. Add documents: kaynak add PATH -c NAME")
    output.table(
        ("name", "documents", "passages", "revision", "updated"),
        [(c.name, c.documents, c.chunks, c.revision, f"{c.updated_at:%Y-%m-%d %H:%M}") for c in found],
    )


lists_by_default(app, list_collections)


@app.command("create")
@command
def create(
    name: Name,
    description: Annotated[str, typer.Option("--description", "-d", help="What is in it.")] = "",
    language: Annotated[
        str | None, typer.Option("--language", help="ISO 639-1 code; default: detected per document.")
    ] = None,
    chunker: Annotated[
        str, typer.Option("--chunker", help="How text is cut: structure, fixed, sentence or recursive.")
    ] = "structure",
    embedder: Annotated[
        str | None, typer.Option("--embedder", help="Model name or directory; default: from the settings.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create an empty collection."""

    async def work(kaynak: Any) -> Collection:
        model = embedder or kaynak.settings.embedding.model
        spec = GenerationSpec(chunker=PartSpec(chunker), embedder=PartSpec(model))
        created: Collection = await kaynak.collections.create(
            OWNER, validate_collection_name(name), description=description, language=language, spec=spec
        )
        return created

    created = with_services(work)
    if as_json:
        output.document(created)
    else:
        output.line(f"Created {created.name}.")


@app.command("show")
@command
def show(name: Name, as_json: AsJson = False) -> None:
    """Show one collection."""

    async def work(kaynak: Any) -> Collection:
        found: Collection = await kaynak.collections.get(OWNER, name)
        return found

    found = with_services(work)
    if as_json:
        output.document(found)
        return
    spec = found.generation.spec
    output.table(
        ("", ""),
        [
            ("name", found.name),
            ("description", found.description or "–"),
            ("language", found.language or "detected per document"),
            ("documents", found.documents),
            ("passages", found.chunks),
            ("revision", found.revision),
            ("generation", found.generation.id),
            ("chunker", spec.chunker.name),
            ("embedder", f"{spec.embedder.name} ({found.generation.dimensions} dimensions)"),
            ("engines", f"{spec.dense.name}, {spec.lexical.name}"),
            ("answers", answering_in_words(found.answering)),
            ("created", found.created_at.isoformat(timespec="seconds")),
            ("updated", found.updated_at.isoformat(timespec="seconds")),
        ],
    )


@app.command("update")
@command
def update(
    name: Name,
    description: Annotated[str | None, typer.Option("--description", "-d", help="What is in it.")] = None,
    model: ModelOption = None,
    fallback: FallbackOption = None,
    policy: PolicyOption = None,
    depth: DepthOption = None,
    temperature: TemperatureOption = None,
    max_tokens: MaxTokensOption = None,
    reasoning: ReasoningOption = None,
    reset: Annotated[
        bool, typer.Option("--reset-answering", help="First go back to the settings in all that concerns answers.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Change the description of a collection, or how answers are written from it."""
    wanted = Answering(model, tuple(fallback or ()), ModelSettings(temperature, max_tokens, reasoning), policy, depth)

    async def work(kaynak: Any) -> Collection:
        before = Answering() if reset else (await kaynak.collections.get(OWNER, name)).answering
        changed: Collection = await kaynak.collections.update(
            OWNER, name, description=description, answering=_changed(before, wanted)
        )
        return changed

    changed = with_services(work)
    if as_json:
        output.document(changed)
    else:
        output.line(f"Answers from {changed.name}: {answering_in_words(changed.answering)}.")


def _changed(before: Answering, wanted: Answering) -> Answering:
    """Returns ``before`` with what is wanted instead; other models have other fallbacks."""
    settings = {name: value for name, value in asdict(wanted.settings).items() if value is not None}
    return Answering(
        model=wanted.model or before.model,
        fallbacks=wanted.fallbacks or (() if wanted.model else before.fallbacks),
        settings=replace(before.settings, **settings),
        policy=wanted.policy or before.policy,
        depth=wanted.depth or before.depth,
    )


def answering_in_words(answering: Answering) -> str:
    """Returns how a collection is answered from, on one line."""
    settings = answering.settings
    parts = [
        answering.model,
        answering.fallbacks and "or " + ", ".join(answering.fallbacks),
        answering.policy and f"policy {answering.policy}",
        answering.depth and f"depth {answering.depth}",
        settings.temperature is not None and f"temperature {settings.temperature:g}",
        settings.max_tokens and f"at most {settings.max_tokens} tokens",
        settings.reasoning and f"{settings.reasoning} reasoning",
    ]
    return ", ".join(str(part) for part in parts if part) or "as the settings say"


@app.command("rename")
@command
def rename(
    name: Name, new: Annotated[str, typer.Argument(help="Its new name.", metavar="NEW")], as_json: AsJson = False
) -> None:
    """Give a collection another name."""

    async def work(kaynak: Any) -> Collection:
        changed: Collection = await kaynak.collections.update(OWNER, name, new_name=validate_collection_name(new))
        return changed

    changed = with_services(work)
    if as_json:
        output.document(changed)
    else:
        output.line(f"{name} is now {changed.name}.")


Who = Annotated[str, typer.Argument(help="E-mail address or id of a person, name or id of a group.", metavar="WHO")]


@app.command("share")
@command
def share(
    name: Name,
    who: Who,
    role: Annotated[
        CollectionRole, typer.Option("--role", "-r", help="viewer reads, editor also changes documents, owner shares.")
    ] = CollectionRole.VIEWER,
    as_json: AsJson = False,
) -> None:
    """Give a person or a group a role in a collection, in place of the one they had."""

    async def work(kaynak: Any) -> Grant:
        made: Grant = await kaynak.sharing.share(OWNER, name, who, role)
        return made

    made = with_services(work)
    if as_json:
        output.document(made)
    else:
        output.line(f"{made.principal.name} is {made.role} of {name}.")


@app.command("unshare")
@command
def unshare(name: Name, who: Who, as_json: AsJson = False) -> None:
    """Take the role of a person or a group in a collection away."""

    async def work(kaynak: Any) -> None:
        await kaynak.sharing.unshare(OWNER, name, who)

    with_services(work)
    if as_json:
        output.document({"collection": name, "removed": who})
    else:
        output.line(f"{who} has no role in {name} any more.")


@app.command("grants")
@command
def grants(name: Name, as_json: AsJson = False) -> None:
    """List with whom a collection is shared."""

    async def work(kaynak: Any) -> list[Grant]:
        found: list[Grant] = await kaynak.sharing.list(OWNER, name)
        return found

    found = with_services(work)
    if as_json:
        output.document({"items": found})
        return
    output.table(
        ("who", "kind", "role", "since"),
        [(one.principal.name, one.principal.kind, one.role, f"{one.created_at:%Y-%m-%d %H:%M}") for one in found],
    )


@app.command("rm")
@command
def remove(name: Name, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove a collection with everything in it. There is no way back."""

    async def work(kaynak: Any) -> int:
        found: Collection = await kaynak.collections.get(OWNER, name)
        if not yes and not as_json:
            typer.confirm(f"Remove {found.name} with {found.documents} documents?", abort=True)
        await kaynak.collections.delete(OWNER, name)
        return found.documents

    documents = with_services(work)
    if as_json:
        output.document({"removed": name, "documents": documents})
    else:
        output.line(f"Removed {name} ({documents} documents).")
