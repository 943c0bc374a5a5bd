from __future__ import annotations

from kaynak.cli import output
from kaynak.cli.command import AsJson, logged_settings, run_async


def migrate(as_json: AsJson = False) -> None:
    """Bring the database to the tables that this version wants. Safe to run at any time."""
    from kaynak.app import migrate as migrate_database

    current = run_async(migrate_database(logged_settings()))
    if as_json:
        output.document({"migration": current})
    else:
        output.line(f"The database is at migration {current}.")
