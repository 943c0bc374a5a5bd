from __future__ import annotations

import os

from kaynak.cli import output
from kaynak.cli.command import AsJson, invocation


def config(as_json: AsJson = False) -> None:
    """Show the settings in force, and where each comes from. Secrets are masked."""
    from kaynak.settings import effective_settings, unknown_variables

    found = effective_settings(invocation.settings(), **invocation.arguments)
    strange = unknown_variables(os.environ)
    if as_json:
        output.document({"settings": found, "unknown_variables": strange})
        return
    output.table(
        ("setting", "value", "origin", "variable"),
        [(entry.name, _shown(entry.value), entry.origin, entry.variable) for entry in found],
    )
    for name in strange:
        output.note(f"kaynak: {name} is set, but is not a setting.")


def _shown(value: object) -> str:
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
