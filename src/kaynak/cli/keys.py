from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import typer

from kaynak.cli import output
from kaynak.cli.command import AsJson, command, with_services
from kaynak.cli.people import Email, person_of
from kaynak.domain import OWNER, ApiKey, Permission

app = typer.Typer(help="Make, list and revoke API keys, with which programs act for people.", no_args_is_help=True)


@app.command("create")
@command
def create(
    email: Email,
    name: Annotated[str, typer.Option("--name", help="For people: what it is for.")],
    permission: Annotated[
        list[Permission] | None,
        typer.Option("--permission", help="What it may do, at most as much as its person; repeat. Default: read."),
    ] = None,
    collection: Annotated[
        list[str] | None, typer.Option("--collection", "-c", help="The only ones it may touch; repeat. Default: all.")
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, max=36_500, help="After which it ends. Default: never.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key that acts for somebody. It is shown this once."""

    async def work(kaynak: Any) -> Any:
        from kaynak.identity import THE_OWNER, KeyWish

        wish = KeyWish(
            name,
            frozenset(permission or [Permission.READ]),
            collection or None,
            None if days is None else datetime.now(UTC) + timedelta(days=days),
        )
        return await kaynak.identity.keys.create_for(THE_OWNER, (await person_of(kaynak, email)).id, wish)

    made = with_services(work)
    if as_json:
        output.document(made)
        return
    output.line(made.secret)
    output.note("Keep it safe: it is not shown again. Send it as “Authorization: Bearer …”.")


@app.command("list")
@command
def list_keys(email: Email, as_json: AsJson = False) -> None:
    """List somebody's keys that still work."""

    async def work(kaynak: Any) -> list[ApiKey]:
        return list(await kaynak.identity.keys.list_of(OWNER, (await person_of(kaynak, email)).id))

    found = with_services(work)
    if as_json:
        output.document({"items": found})
        return
    output.table(
        ("key", "name", "begins with", "may", "collections", "ends", "last used"),
        [
            (
                key.id,
                key.name,
                key.hint,
                ", ".join(key.permissions),
                "all" if key.collections is None else len(key.collections),
                "never" if key.expires_at is None else f"{key.expires_at:%Y-%m-%d}",
                "never" if key.last_used_at is None else f"{key.last_used_at:%Y-%m-%d %H:%M}",
            )
            for key in found
        ],
    )


@app.command("revoke")
@command
def revoke(key: Annotated[UUID, typer.Argument(help="Id of the key.", metavar="KEY")], as_json: AsJson = False) -> None:
    """End a key; the next request with it is refused."""

    async def work(kaynak: Any) -> None:
        await kaynak.identity.keys.revoke_of(OWNER, key)

    with_services(work)
    if as_json:
        output.document({"revoked": key})
    else:
        output.line("The key is revoked.")
