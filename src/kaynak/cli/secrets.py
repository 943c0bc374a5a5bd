from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kaynak.cli import output
from kaynak.cli.command import AsJson, command, invocation, with_services
from kaynak.domain import OWNER, InvalidRequest

if TYPE_CHECKING:
    from kaynak.catalog import Rotation

app = typer.Typer(help="Replace the keys of the installation, and keep its secrets elsewhere.", no_args_is_help=True)


class Kept(StrEnum):
    """A secret that others gave this installation. Keys of models have a command of their own."""

    OIDC = "oidc"


Name = Annotated[
    Kept, typer.Argument(help="oidc: our client secret at the provider of OpenID Connect.", metavar="NAME")
]


@app.callback()
def secrets() -> None:
    """Replace the keys of the installation, and keep its secrets elsewhere."""


@app.command("rotate")
@command
def rotate(
    signing: Annotated[
        bool, typer.Option("--signing", help="Replace the key that signs access tokens instead; no session ends.")
    ] = False,
    distrust: Annotated[
        bool,
        typer.Option(
            "--distrust", help="With --signing: refuse, from the next request on, all that older keys have signed."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Replace the key of the installation; secrets stay readable, also to a server that is running.

    Without KAYNAK_SECRET_KEY a new random key takes the place of the one in the data directory. With it, that is the
    new key; give the one before as KAYNAK_OLD_SECRET_KEY, this once.
    """
    if signing:
        _rotate_signing(distrust=distrust, as_json=as_json)
        return
    if distrust:
        raise InvalidRequest("--distrust is about what was signed.", hint="kaynak secrets rotate --signing --distrust")

    async def work(kaynak: Any) -> Rotation:
        done: Rotation = await kaynak.secrets.rotate(OWNER)
        return done

    done = with_services(work)
    settings = invocation.settings()
    file = None if settings.secret_key else settings.data_dir / "secret.key"
    if as_json:
        output.document({**_counts(done), "file": file})
        return
    output.line(f"The key of the installation is new; {done.data_keys} data keys are encrypted with it.")
    if done.unreadable:
        output.note(f"{done.unreadable} secrets could not be read, and must be stored again: see kaynak models.")
    if file is not None:
        output.note(f"It is in {file}. Back it up apart from the database: without it the secrets are lost.")
    else:
        output.note("KAYNAK_OLD_SECRET_KEY is not needed any more. Restart servers with the new KAYNAK_SECRET_KEY.")


@app.command("set")
@command
def set_secret(name: Name, as_json: AsJson = False) -> None:
    """Store a secret, encrypted. It is asked for, or read from standard input."""
    prompted = sys.stdin.isatty()
    secret = typer.prompt("Client secret", hide_input=True, err=True) if prompted else sys.stdin.readline()

    async def work(kaynak: Any) -> bool:
        await kaynak.identity.oidc_secret.put(OWNER, secret.strip())
        return bool(kaynak.identity.oidc_secret.configured)

    overruled = with_services(work)
    if as_json:
        output.document({"stored": name, "overruled": overruled})
        return
    output.line("The client secret is stored, and counts from the next sign-in on.")
    if overruled:
        output.note("The setting KAYNAK_OIDC__CLIENT_SECRET goes before it: take that away.")


@app.command("remove")
@command
def remove_secret(name: Name, as_json: AsJson = False) -> None:
    """Remove a stored secret."""

    async def work(kaynak: Any) -> None:
        await kaynak.identity.oidc_secret.remove(OWNER)

    with_services(work)
    if as_json:
        output.document({"removed": name})
    else:
        output.line("The client secret is removed.")


def _rotate_signing(*, distrust: bool, as_json: bool) -> None:
    async def work(kaynak: Any) -> None:
        await kaynak.identity.signing.rotate(OWNER, distrust=distrust)

    with_services(work)
    if as_json:
        output.document({"signing_key": "new", "distrusted": distrust})
        return
    output.line("A new key signs access tokens.")
    if distrust:
        output.note("No token from before is accepted any more. Clients get new ones with their refresh tokens.")
        output.note("  → Who may have copied those too: kaynak users sign-out EMAIL ends their sessions.")
    else:
        output.note("Tokens from before are good until they run out; with --distrust they are refused at once.")


def _counts(done: Rotation) -> dict[str, int]:
    return {"data_keys": done.data_keys, "secrets": done.secrets, "unreadable": done.unreadable}
