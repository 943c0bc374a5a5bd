"""What commands print: JSON for machines, tables and sentences for people, errors for both."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from kaynak.domain import InvalidRequest, KaynakError

if TYPE_CHECKING:
    from rich.console import Console

Item = TypeVar("Item")


def document(value: object) -> None:
    """Prints ``value`` as one JSON document: indented on a terminal, one line elsewhere."""
    from kaynak.api import dumps

    content = dumps(value)
    if sys.stdout.isatty():
        # Python's own reader keeps numbers of more than 64 bits as they are.
        content = json.dumps(json.loads(content), indent=2, ensure_ascii=False).encode()
    sys.stdout.buffer.write(content + b"\n")
    sys.stdout.buffer.flush()


def line(text: str = "") -> None:
    """Prints one line of plain text."""
    print(printable(text))  # noqa: T201 - this is where commands print


def note(text: str) -> None:
    """Prints one line on standard error: what happens, not what was asked for."""
    print(printable(text), file=sys.stderr)  # noqa: T201


def new_file(path: Path) -> BinaryIO:
    """Returns a file that was not there before, to be written.

    Raises:
        InvalidRequest: It is there already, or cannot be made.
    """
    try:
        return path.open("xb")
    except FileExistsError as exc:
        raise InvalidRequest(f"{path} is there already.", hint="Choose another name.") from exc
    except OSError as exc:
        raise InvalidRequest(f"{path} cannot be written: {exc.strerror}.", hint="Name another file.") from exc


def at_most(items: Sequence[Item], limit: int) -> tuple[Sequence[Item], bool]:
    """Returns the first ``limit`` items, and whether there are more; ask for one more than are shown."""
    return items[:limit], len(items) > limit


def there_is_more(limit: int) -> None:
    """Says that a list goes on beyond what is shown."""
    note(f"There are more than these {limit:,}; see them with --limit.")


def printable(text: str) -> str:
    """Returns ``text`` without control characters: a document's title must not drive the terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text)


def error(failure: KaynakError, *, as_json: bool) -> None:
    """Prints what happened and what to do: a line each, or one JSON document."""
    if as_json:
        from kaynak.api import problem_of

        document({"error": problem_of(failure)})
        return
    note(f"kaynak: {failure.message}")
    if failure.hint:
        note(f"  → {failure.hint}")


def console(*, stderr: bool = False) -> Console:
    """Returns a console of rich; it knows NO_COLOR and whether it is a terminal."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints rows: aligned on a terminal, tab-separated without a heading elsewhere."""
    texts = [[_cell(value) for value in row] for row in rows]
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        for row in texts:
            line("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in texts:
        shown.add_row(*(Text(cell) for cell in row))
    Console(highlight=False).print(shown)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, int) and not isinstance(value, bool) and sys.stdout.isatty():
        return f"{value:,}"
    return printable(str(value)).replace("\n", " ").replace("\t", " ")
