from __future__ import annotations

import json
from typing import Annotated

import typer

from kaynak.domain import InvalidRequest, Json

MetadataOption = Annotated[
    list[str] | None,
    typer.Option("--metadata", "-m", help="key=value, repeated; a value that is JSON is read as JSON."),
]


def parsed_metadata(pairs: list[str] | None) -> dict[str, Json] | None:
    """Returns the metadata typed as ``key=value``: ``year=2026`` is a number, ``team=hr`` a string.

    Raises:
        InvalidRequest: There is no ``=``, or the key is not the caller's to use.
    """
    if not pairs:
        return None
    found: dict[str, Json] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip() or key.startswith("_"):
            raise InvalidRequest(
                f"--metadata {pair[:80]} is not key=value.",
                hint="For example -m team=hr -m year=2026; keys may not begin with “_”.",
            )
        found[key.strip()] = _value(value)
    return found


def _value(text: str) -> Json:
    try:
        # NaN and Infinity are no JSON; Python would take them.
        value: Json = json.loads(text, parse_constant=lambda _: text)
    except (ValueError, RecursionError):
        return text
    return value
