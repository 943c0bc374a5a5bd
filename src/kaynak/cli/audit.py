from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kaynak.cli import exits, output
from kaynak.cli.command import AsJson, command, lists_by_default, with_services
from kaynak.domain import OWNER, AuditEvent, AuditFilter, AuditPolicy, AuditSegment, InvalidRequest, QueryText

if TYPE_CHECKING:
    from kaynak.catalog import Head
    from kaynak.domain import Verification

app = typer.Typer(help="Read, export, verify and seal the log of who did what.")

Subject = Annotated[str | None, typer.Option("--subject", help="Only what was done by: user:…, owner, nobody.")]
Action = Annotated[str | None, typer.Option("--action", help="Only what was done: search, document.downloaded, …")]
Object = Annotated[str | None, typer.Option("--object", help="Only what it was done to: document:…, collection:…")]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="From this moment: 2026-11-21T08:00.")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before this moment.")]


@app.command("list")
@command
def list_events(
    subject: Subject = None,
    action: Action = None,
    object_: Object = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="Show at most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List events, newest first."""
    wanted = AuditFilter(subject, action, object_, _moment("--since", since), _moment("--until", until))

    async def work(kaynak: Any) -> list[AuditEvent]:
        found: list[AuditEvent] = await kaynak.audit.list(OWNER, wanted, limit=limit + 1)
        return found

    found, more = output.at_most(with_services(work), limit)
    if as_json:
        from kaynak.auditing import shown

        output.document({"items": [shown(event) for event in found], "more": more})
        return
    output.table(
        ("event", "at", "who", "what", "to what", "details"),
        [(e.sequence, f"{e.at:%Y-%m-%d %H:%M:%S}", e.subject, e.action, e.object, _details(e)) for e in found],
    )
    if more:
        output.there_is_more(limit)


lists_by_default(app, list_events)


@app.command("export")
@command
def export(
    file: Annotated[Path | None, typer.Argument(help="Where to; default: standard output.")] = None,
    subject: Subject = None,
    action: Action = None,
    object_: Object = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Write events as JSONL, oldest first. Without filters the file can be verified by itself."""
    wanted = AuditFilter(subject, action, object_, _moment("--since", since), _moment("--until", until))

    async def work(kaynak: Any) -> int:
        count = 0
        target = sys.stdout.buffer if file is None else output.new_file(file)
        try:
            async for lines in await kaynak.audit.export(OWNER, wanted):
                target.write(lines)
                count += lines.count(b"\n")
            target.flush()
        finally:
            if file is not None:
                target.close()
        return count

    count = with_services(work)
    output.note(f"{count:,} events{f' in {file}' if file else ''}.")


@app.command("verify")
@command
def verify(
    file: Annotated[Path | None, typer.Argument(help="An export or a sealed segment; default: the log itself.")] = None,
    noted: Annotated[
        str | None, typer.Option("--noted", metavar="NUMBER:HASH", help="What an earlier verification printed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look for events that were altered, removed, reordered or inserted."""
    head = _head(noted)
    if file is not None:
        from kaynak.auditing import verify_file

        found = verify_file(file, head)
    else:

        async def work(kaynak: Any) -> Verification:
            done: Verification = await kaynak.audit.verify(OWNER, head)
            return done

        found = with_services(work)
    if as_json:
        output.document(found)
    else:
        _print(found)
    if not found.ok:
        raise typer.Exit(exits.FAILED)


@app.command("seal")
@command
def seal(
    before: Annotated[str | None, typer.Option("--before", metavar="TIME", help="Events before this moment.")] = None,
    days: Annotated[
        int | None, typer.Option("--older-than-days", min=0, max=36_500, help="Events older than that.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Move old events out of the database, into a file of the data directory."""
    if (before is None) == (days is None):
        raise InvalidRequest("Which events?", hint="Give --before TIME or --older-than-days N.")
    moment = _moment("--before", before) or datetime.now(UTC) - timedelta(days=days or 0)

    async def work(kaynak: Any) -> tuple[AuditSegment | None, Path]:
        done: AuditSegment | None = await kaynak.audit.seal(OWNER, moment)
        return done, kaynak.settings.data_dir / "audit"

    segment, folder = with_services(work)
    if as_json:
        shown = segment and {"first": segment.first, "last": segment.last, "hash": segment.hash.hex()}
        output.document({"segment": shown})
    elif segment is None:
        output.line("There is nothing to seal.")
    else:
        output.line(f"Events {segment.first} to {segment.last} are in {folder}; keep a copy of it elsewhere.")


@app.command("policy")
@command
def policy(
    query_text: Annotated[
        QueryText | None, typer.Option("--query-text", help="How much is kept of queries and questions.")
    ] = None,
    keep_days: Annotated[
        int | None, typer.Option("--keep-days", min=0, help="Seal events that are older, every hour; 0: never.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what the log keeps, or change it."""

    async def work(kaynak: Any) -> AuditPolicy:
        now: AuditPolicy = await kaynak.audit.policy(OWNER)
        if query_text is None and keep_days is None:
            return now
        days = now.keep_days if keep_days is None else keep_days or None
        changed: AuditPolicy = await kaynak.audit.set_policy(OWNER, AuditPolicy(query_text or now.query_text, days))
        return changed

    found = with_services(work)
    if as_json:
        output.document(found)
        return
    kept = "for ever" if found.keep_days is None else f"for {found.keep_days} days, then sealed in a file"
    output.line(f"Text of queries: {found.query_text.value}. Events are kept {kept}.")


def _print(found: Verification) -> None:
    for finding in found.findings:
        output.line(f"✗ {finding.message}")
    for note in found.notes:
        output.note(note)
    state = "as they were written" if found.ok else "NOT as they were written"
    erased = f"; the details of {found.erased:,} were erased" if found.erased else ""
    output.line(f"{found.events:,} events are {state}{erased}.")
    output.line(f"Note elsewhere: {found.sequence}:{found.hash}")


def _head(noted: str | None) -> Head | None:
    from kaynak.catalog import Head

    if noted is None:
        return None
    number, _, digits = noted.strip().partition(":")
    try:
        hash_ = bytes.fromhex(digits)
        if len(hash_) != 32:
            raise ValueError
        return Head(int(number), hash_)
    except ValueError as exc:
        raise InvalidRequest(
            "--noted: give the number and the hash as they were printed.", hint="--noted 1234:9f86d0…"
        ) from exc


def _moment(option: str, given: str | None) -> datetime | None:
    """Returns the moment; without a zone it is of UTC."""
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError as exc:
        raise InvalidRequest(f"{option}: “{given}” is no time.", hint="Times look like 2026-11-21T08:00Z.") from exc
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _details(event: AuditEvent) -> str:
    if event.erased:
        return "(erased)"
    text = event.details or ""
    return text if len(text) <= 80 else text[:79] + "…"
