"""What the commands about people share."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from kaynak.domain import OWNER, Person

Email = Annotated[str, typer.Argument(help="E-mail address of the person.", metavar="EMAIL")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


async def person_of(kaynak: Any, email: str) -> Person:
    """Returns the person of an address.

    Raises:
        NotFound: There is none.
    """
    found: Person = await kaynak.identity.people.find(OWNER, email)
    return found


def asked_password(email: str) -> str:
    """Returns a new password, typed twice, or once on standard input: never on a command line, which others can see."""
    if sys.stdin.isatty():
        typed: str = typer.prompt(f"Password of {email}", hide_input=True, confirmation_prompt=True, err=True)
        return typed
    return sys.stdin.readline().rstrip("\r\n")
