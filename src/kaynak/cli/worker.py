from __future__ import annotations

import asyncio
import signal

from kaynak.cli import output
from kaynak.cli.command import run_async, services


def worker() -> None:
    """Do background jobs here too, until stopped. Any number may run, on any number of hosts."""
    run_async(_work())


async def _work() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with services(worker=True, least="INFO") as kaynak:
        output.note("kaynak: working; stop with Ctrl-C.")
        await kaynak.worker.run(stop)
