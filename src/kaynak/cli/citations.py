from __future__ import annotations

from collections.abc import Sequence

from kaynak.cli import output
from kaynak.cli.answers import place
from kaynak.domain import Citation


def show_citations(citations: Sequence[Citation]) -> None:
    """Prints quotes, whole, with their places."""
    from rich.text import Text

    console = output.console()
    for citation in citations:
        line = Text(f"[{citation.marker}] ", style="bold")
        line.append(f"“{output.printable(' '.join(citation.quote.split()))}”", style="not bold")
        console.print(line)
        console.print(Text("    " + place(citation), style="dim"))
