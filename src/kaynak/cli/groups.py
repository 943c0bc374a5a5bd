from __future__ import annotations

from typing import Annotated, Any

import typer

from kaynak.cli import output
from kaynak.cli.command import AsJson, command, lists_by_default, with_services
from kaynak.cli.people import Email, Yes, person_of
from kaynak.domain import OWNER, Group, Member

app = typer.Typer(help="Make groups of people, and say who is in them.")

Name = Annotated[str, typer.Argument(help="Name of the group.", metavar="GROUP")]
_Description = Annotated[str | None, typer.Option("--description", help="For people.")]
_Claim = Annotated[
    str | None, typer.Option("--claim", help="Value of OpenID Connect's group claim that makes people members.")
]
_MOST = 10_000


@app.command("list")
@command
def list_groups(as_json: AsJson = False) -> None:
    """List groups by name."""

    async def work(kaynak: Any) -> list[Group]:
        return list(await kaynak.identity.groups.list(OWNER, after=None, limit=_MOST))

    found = with_services(work)
    if as_json:
        output.document({"items": found})
        return
    output.table(
        ("group", "members", "claim", "description"),
        [(group.name, group.members, group.claim or "", group.description) for group in found],
    )


lists_by_default(app, list_groups)


@app.command("add")
@command
def add(name: Name, description: _Description = None, claim: _Claim = None, as_json: AsJson = False) -> None:
    """Make a group without members."""

    async def work(kaynak: Any) -> Group:
        made: Group = await kaynak.identity.groups.add(OWNER, name, description=description or "", claim=claim)
        return made

    _said(with_services(work), "Made the group {}.", as_json=as_json)


@app.command("show")
@command
def show(name: Name, as_json: AsJson = False) -> None:
    """Show a group and who is in it."""

    async def work(kaynak: Any) -> tuple[Group, list[Member]]:
        group = await kaynak.identity.groups.find(OWNER, name)
        return group, list(await kaynak.identity.groups.members(OWNER, group.id, after=None, limit=_MOST))

    group, members = with_services(work)
    if as_json:
        output.document({"group": group, "members": members})
        return
    output.table(
        ("e-mail", "name", "by OpenID Connect"),
        [(member.email, member.name, "yes" if member.by_claim else "no") for member in members],
    )


@app.command("set")
@command
def set_group(
    name: Name,
    new_name: Annotated[str | None, typer.Option("--name", help="Its new name.")] = None,
    description: _Description = None,
    claim: _Claim = None,
    as_json: AsJson = False,
) -> None:
    """Change a group; what is left out stays, and an empty claim is none."""

    async def work(kaynak: Any) -> Group:
        group = await kaynak.identity.groups.find(OWNER, name)
        changed: Group = await kaynak.identity.groups.update(
            OWNER, group.id, name=new_name, description=description, claim=claim
        )
        return changed

    _said(with_services(work), "Changed the group {}.", as_json=as_json)


@app.command("remove")
@command
def remove(name: Name, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove a group with what was granted to it. Its members stay."""

    async def work(kaynak: Any) -> Group:
        group: Group = await kaynak.identity.groups.find(OWNER, name)
        if not yes and not as_json:
            typer.confirm(f"Remove the group {group.name} with {group.members} members?", abort=True)
        await kaynak.identity.groups.delete(OWNER, group.id)
        return group

    _said(with_services(work), "Removed the group {}.", as_json=as_json)


@app.command("add-member")
@command
def add_member(name: Name, email: Email, as_json: AsJson = False) -> None:
    """Put somebody into a group."""

    async def work(kaynak: Any) -> Group:
        group = await kaynak.identity.groups.find(OWNER, name)
        await kaynak.identity.groups.add_member(OWNER, group.id, (await person_of(kaynak, email)).id)
        found: Group = await kaynak.identity.groups.get(OWNER, group.id)
        return found

    _said(with_services(work), f"{email} is in the group {{}}.", as_json=as_json)


@app.command("remove-member")
@command
def remove_member(name: Name, email: Email, as_json: AsJson = False) -> None:
    """Take somebody out of a group."""

    async def work(kaynak: Any) -> Group:
        group = await kaynak.identity.groups.find(OWNER, name)
        await kaynak.identity.groups.remove_member(OWNER, group.id, (await person_of(kaynak, email)).id)
        found: Group = await kaynak.identity.groups.get(OWNER, group.id)
        return found

    _said(with_services(work), f"{email} is not in the group {{}} any more.", as_json=as_json)


def _said(group: Group, said: str, *, as_json: bool) -> None:
    if as_json:
        output.document(group)
    else:
        output.line(said.replace("{}", group.name))
