from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from kaynak.cli import output
from kaynak.cli.command import AsJson, command, lists_by_default, with_services
from kaynak.cli.people import Email, Yes, asked_password, person_of
from kaynak.domain import OWNER, ApiKey, GlobalRole, InvalidRequest, Person, Session

app = typer.Typer(help="Add, list, change and remove people.")

_Role = Annotated[GlobalRole | None, typer.Option("--role", help="What they are to the installation.")]


@app.command("list")
@command
def list_users(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="Show at most so many.")] = 200,
    as_json: AsJson = False,
) -> None:
    """List people in the order in which they were added."""

    async def work(kaynak: Any) -> list[Person]:
        return list(await kaynak.identity.people.list(OWNER, after=None, limit=limit + 1))

    found, more = output.at_most(with_services(work), limit)
    if as_json:
        output.document({"items": found, "more": more})
        return
    output.table(
        ("e-mail", "name", "role", "active", "signs in by", "since"),
        [(p.email, p.name, p.role.value, _yes(p.active), _how(p), f"{p.created_at:%Y-%m-%d}") for p in found],
    )
    if more:
        output.there_is_more(limit)


lists_by_default(app, list_users)


@app.command("add")
@command
def add(
    email: Email,
    admin: Annotated[bool, typer.Option("--admin", help="The same as --role administrator.")] = False,
    role: _Role = None,
    name: Annotated[str, typer.Option("--name", help="Their name.")] = "",
    no_password: Annotated[
        bool, typer.Option("--no-password", help="They sign in with OpenID Connect, or get one later.")
    ] = False,
    password_hash: Annotated[
        str | None,
        typer.Option("--password-hash", help="As an older system kept it: pbkdf2_sha256$100000$SALT$HASH, $argon2id$…"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add somebody. The password is asked for, or read from standard input."""
    if admin and role not in (None, GlobalRole.ADMINISTRATOR):
        raise InvalidRequest("--admin and --role say different things.", hint="Give one of them.")
    chosen = GlobalRole.ADMINISTRATOR if admin else role or GlobalRole.MEMBER
    password = None if no_password or password_hash is not None else asked_password(email)

    async def work(kaynak: Any) -> Person:
        added: Person = await kaynak.identity.people.add(
            OWNER, email, name=name, role=chosen, password=password, password_hash=password_hash
        )
        return added

    _changed(with_services(work), "Added {}.", as_json=as_json)


@app.command("show")
@command
def show(email: Email, as_json: AsJson = False) -> None:
    """Show somebody, where they are signed in, and their keys."""

    async def work(kaynak: Any) -> tuple[Person, list[Session], list[ApiKey]]:
        person = await person_of(kaynak, email)
        identity = kaynak.identity
        return person, await identity.people.sessions(OWNER, person.id), await identity.keys.list_of(OWNER, person.id)

    person, sessions, keys = with_services(work)
    if as_json:
        output.document({"user": person, "sessions": sessions, "keys": keys})
        return
    for label, value in (
        ("E-mail", person.email),
        ("Name", person.name),
        ("Role", person.role.value),
        ("Active", _yes(person.active)),
        ("Signs in by", _how(person)),
        ("Id", person.id),
    ):
        output.line(f"{label:12} {value}")
    output.table(
        ("session", "device", "address", "last seen"),
        [(one.id, one.device, one.address, f"{one.last_seen_at:%Y-%m-%d %H:%M}") for one in sessions],
    )
    output.table(("key", "name", "begins with"), [(key.id, key.name, key.hint) for key in keys])


@app.command("set")
@command
def set_user(
    email: Email,
    new_email: Annotated[str | None, typer.Option("--email", help="Their new address.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Their name.")] = None,
    role: _Role = None,
    active: Annotated[
        bool | None, typer.Option("--active/--inactive", help="Whether they may sign in, and their keys work.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change somebody; what is left out stays."""

    async def work(kaynak: Any) -> Person:
        person = await person_of(kaynak, email)
        changed: Person = await kaynak.identity.people.update(
            OWNER, person.id, email=new_email, name=name, role=role, active=active
        )
        return changed

    _changed(with_services(work), "Changed {}.", as_json=as_json)


@app.command("password")
@command
def password(email: Email, as_json: AsJson = False) -> None:
    """Set somebody's password, which is asked for, or read from standard input. Their sessions end."""
    typed = asked_password(email)

    async def work(kaynak: Any) -> Person:
        person = await person_of(kaynak, email)
        changed: Person = await kaynak.identity.people.update(OWNER, person.id, password=typed)
        return changed

    _changed(with_services(work), "The password of {} is set.", as_json=as_json)


@app.command("sign-out")
@command
def sign_out(email: Email, as_json: AsJson = False) -> None:
    """End all of somebody's sessions."""

    async def work(kaynak: Any) -> Person:
        person = await person_of(kaynak, email)
        await kaynak.identity.people.end_sessions(OWNER, person.id)
        return person

    _changed(with_services(work), "{} is signed out everywhere.", as_json=as_json)


@app.command("remove")
@command
def remove(email: Email, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove somebody with their sessions, keys, memberships and what was granted to them."""

    async def work(kaynak: Any) -> Person:
        person = await person_of(kaynak, email)
        if not yes and not as_json:
            typer.confirm(f"Remove {person.email}?", abort=True)
        await kaynak.identity.people.delete(OWNER, person.id)
        return person

    _changed(with_services(work), "Removed {}.", as_json=as_json)


@app.command("export")
@command
def export(
    email: Email,
    file: Annotated[Path | None, typer.Argument(help="Where to; default: standard output.")] = None,
) -> None:
    """Write all that is held about somebody as JSON. No secrets are in it."""

    async def work(kaynak: Any) -> None:
        from kaynak.auditing import as_json

        person = await person_of(kaynak, email)
        with nullcontext(sys.stdout.buffer) if file is None else output.new_file(file) as target:
            target.write(as_json(await kaynak.rights.export(OWNER, person.id)))
            target.flush()

    with_services(work)
    if file is not None:
        output.note(f"All that is held about {email} is in {file}.")


@app.command("erase")
@command
def erase(email: Email, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove somebody and all that is held about them; the audit log keeps events with an id that leads to nobody."""

    async def work(kaynak: Any) -> Person:
        person = await person_of(kaynak, email)
        if not yes and not as_json:
            typer.confirm(f"Erase {person.email}, with conversations? There is no way back.", abort=True)
        await kaynak.rights.erase(OWNER, person.id)
        return person

    _changed(with_services(work), "Erased {}.", as_json=as_json)


def _changed(person: Person, said: str, *, as_json: bool) -> None:
    if as_json:
        output.document(person)
    else:
        output.line(said.format(person.email))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _how(person: Person) -> str:
    ways = [way for way, there in (("password", person.password), ("OpenID Connect", person.identity)) if there]
    return ", ".join(ways) or "–"
