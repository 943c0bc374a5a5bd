"""Documents from addresses of the web, fetched into files before they are added as such."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kaynak.cli.command import invocation, run_async
from kaynak.cli.files import Found, Skipped
from kaynak.domain import KaynakError


@contextmanager
def fetched(addresses: Sequence[str]) -> Iterator[tuple[list[Found], list[Skipped]]]:
    """Fetches addresses; their files live until the block ends.

    Each is kept under its address, and has the name that its path ends with, as a hint for its type.
    """
    if not addresses:
        yield [], []
        return
    with tempfile.TemporaryDirectory(prefix="kaynak-") as folder:
        found: list[Found] = []
        missed: list[Skipped] = []
        run_async(_fetch(addresses, Path(folder), found, missed))
        yield found, missed


async def _fetch(addresses: Sequence[str], folder: Path, found: list[Found], missed: list[Skipped]) -> None:
    from kaynak.fetching import Fetcher, FetchLimits, Reach

    settings = invocation.settings().urls
    fetcher = Fetcher(Reach(settings.private), FetchLimits(bytes=settings.mb * 1024 * 1024, seconds=settings.seconds))
    for number, address in enumerate(dict.fromkeys(addresses)):
        target = folder / str(number)
        try:
            got = await fetcher.fetch(address, target)
        except KaynakError as error:
            missed.append(Skipped(address, f"{error.message} {error.hint}"))
        else:
            found.append(Found(target, address.partition("#")[0], got.name, got.media_type))
