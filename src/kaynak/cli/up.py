from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from kaynak.cli import output
from kaynak.cli.command import AsJson, invocation, run_async, services
from kaynak.cli.serverlock import ServerLock, server_lock
from kaynak.domain import Misconfigured

if TYPE_CHECKING:
    import uvicorn

    from kaynak.api.crowding import Crowd
    from kaynak.app import Kaynak
    from kaynak.settings import Settings

GRACE_SECONDS = 10.0
"""How long open requests and the worker's current step may take once the server is asked to stop."""

_OPEN_FILES = 65_536


def up(
    host: Annotated[str | None, typer.Option("--host", help="Address to serve on; default 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", "-p", min=0, max=65535, help="Port to serve on; default 8000, 0: any.")
    ] = None,
    setup: Annotated[
        bool,
        typer.Option("--setup", help="Print a link, good once and for an hour, to make the first administrator."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start everything: API, worker, database. Stop with Ctrl-C."""
    if host is not None:
        invocation.arguments["host"] = host
    if port is not None:
        invocation.arguments["port"] = port
    settings = invocation.settings()
    files = _allow_many_connections()
    with server_lock(settings.data_dir) as lock, _bound(settings) as listener:
        # Uploads that a killed server was receiving; nobody else uses this folder while we hold the lock.
        shutil.rmtree(settings.data_dir / "uploads", ignore_errors=True)
        run_async(_serve(settings, listener, lock, _crowd(settings, files), setup=setup, as_json=as_json))


async def _refuse_open_door(settings: Settings, kaynak: Kaynak, *, setup: bool) -> None:
    """Raises `Misconfigured` where others could reach a server that nobody administers."""
    if settings.private or setup or await kaynak.identity.people.administered():
        return
    where = settings.host if not settings.allowed_hosts else ", ".join((settings.host, *settings.allowed_hosts))
    raise Misconfigured(
        f"Serving on {where} lets others reach this server, and nobody administers it yet.",
        hint="Run: kaynak users add --admin EMAIL   (or start it with --setup, which prints a link for the first one)",
    )


def _allow_many_connections() -> int | None:
    """Raises the limit of open files to what the system allows, and returns it; None: there is none.

    Each stream has a connection here and one to a model.

    Many systems begin at 1,024, for the sake of programs that cannot count further.
    """
    if sys.platform == "win32":
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return None if soft == resource.RLIM_INFINITY else soft


def _crowd(settings: Settings, files: int | None) -> Crowd:
    """Returns the bounds on open connections: those that are set, and at most half of the files that may be open.

    Where connections take all of them, there is none left for the database.
    """
    from kaynak.api.crowding import Crowd

    limits = settings.limits
    most = limits.connections if files is None else min(limits.connections, max(1, files // 2))
    return Crowd(most, limits.address_connections, settings.trusted_proxies)


def _bound(settings: Settings) -> socket.socket:
    """Returns the listening socket, bound before anything slow begins.

    Raises:
        Misconfigured: The address is taken, not ours, or not an address.
    """
    host = settings.host.strip("[]")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as exc:
        raise Misconfigured(f"{settings.host} is not an address of this machine.", hint="Set KAYNAK_HOST.") from exc
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as exc:
        listener.close()
        raise Misconfigured(
            f"Port {settings.port} on {settings.host} cannot be used: {exc.strerror}.",
            hint="Choose another one with --port, or --port 0 for any.",
        ) from exc
    return listener


async def _serve(
    settings: Settings, listener: socket.socket, lock: ServerLock, crowd: Crowd, *, setup: bool, as_json: bool
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    import uvicorn

    from kaynak.api import create_app
    from kaynak.api.connection import Patience, guarded

    limits = settings.limits
    patience = Patience(head_seconds=limits.head_seconds, idle_seconds=limits.idle_seconds)
    async with services(worker=True, least="INFO") as kaynak:
        await _refuse_open_door(settings, kaynak, setup=setup)
        token = await kaynak.identity.setup.open() if setup else None
        server = _quiet_server(
            uvicorn.Config(
                create_app(kaynak),
                http=guarded(patience, crowd),
                ws="none",
                proxy_headers=False,  # uvicorn would believe any neighbour; see `kaynak.api.proxies`
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=int(GRACE_SECONDS),
            )
        )
        serving = asyncio.create_task(server.serve([listener]))
        working = asyncio.create_task(kaynak.worker.run(stop))
        asked = asyncio.create_task(stop.wait())
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        if server.started:
            _announce(settings, listener, lock, token, as_json=as_json)
        # Whichever ends first ends the others: a server without its worker would accept and do nothing.
        await asyncio.wait({serving, working, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        stop.set()
        await kaynak.streams.close()  # answers end as partial, and their connections with them
        server.should_exit = True
        await _finish(serving, working)


def _quiet_server(config: uvicorn.Config) -> uvicorn.Server:
    import uvicorn

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            # uvicorn's own handling raises the signal again when it is done, and would end us uncleanly.
            yield

    return Server(config)


async def _finish(serving: asyncio.Task[None], working: asyncio.Task[None]) -> None:
    """Waits for both within the grace, then cancels; a job that is cut off resumes at the next start."""
    _, late = await asyncio.wait({serving, working}, timeout=GRACE_SECONDS)
    for task in late:
        task.cancel()
    results = await asyncio.gather(serving, working, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


def _announce(
    settings: Settings, listener: socket.socket, lock: ServerLock, token: str | None, *, as_json: bool
) -> None:
    from kaynak import __version__

    port = listener.getsockname()[1]
    host = settings.host if ":" not in settings.host else f"[{settings.host.strip('[]')}]"
    url = f"http://{host}:{port}"
    lock.describe(url=url)
    # Behind the #, the token is in no log of a proxy.
    setup = f"{url}/setup#{token}" if token else None
    if as_json:
        started = {"url": url, "docs": f"{url}/docs", "data_dir": settings.data_dir, "version": __version__}
        output.document({**started, "setup": setup} if setup else started)
        return
    output.line(f"Kaynak {__version__} is ready.")
    output.line(f"  API    {url}/v1")
    output.line(f"  Docs   {url}/docs")
    output.line(f"  Data   {settings.data_dir}")
    if setup:
        output.line(f"  Setup  {setup}   (makes the first administrator; good for an hour, and once)")
    output.line("  Next   kaynak add ./documents -c handbook   (in another terminal)")
    output.line("Stop with Ctrl-C.")
