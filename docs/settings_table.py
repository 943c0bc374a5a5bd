"""Writes the table of settings into ``configuration.md``; a test checks that this was done."""

from __future__ import annotations

from pathlib import Path

from kaynak.settings import effective_settings, load_settings

BEGIN, END = "<!-- settings -->", "<!-- /settings -->"


def table() -> str:
    """Returns the table: variable, default, meaning."""
    rows = ["| variable | in `kaynak.toml` | default | meaning |", "| --- | --- | --- | --- |"]
    for entry in effective_settings(load_settings()):
        default = f"`{entry.default}`" if entry.default else "see below"
        meaning = entry.description.replace("|", "\\|")
        rows.append(f"| `{entry.variable}` | `{entry.name}` | {default} | {meaning} |")
    return "\n".join(rows)


def main() -> None:
    """Replaces what lies between the markers."""
    page = Path(__file__).with_name("configuration.md")
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}")


if __name__ == "__main__":
    main()
