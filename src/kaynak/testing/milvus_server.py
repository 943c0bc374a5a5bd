"""A real Milvus out of the wheel ``milvus``, in a network of its own, for tests."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kaynak.testing import isolated

_SECONDS = 60.0
_TAIL = 4000

# Milliseconds of what tests wait for. Those of the second kind are not in the template.
_HASTE = {"proxy.timeTickInterval": 20, "queryCoord.distPullInterval": 50}
_LEASE = {"common.session.ttl": 3}
"""Seconds that one that was killed is still taken to be there when it is started again."""

_MORE_HASTE = {"queryCoord": ("checkChannelInterval", 50)}


class CannotIsolate(RuntimeError):
    """The kernel does not let us have a network, and on this machine's the server would listen to everybody."""


def has_milvus() -> bool:
    """Returns whether the wheel with the server is installed."""
    return importlib.util.find_spec("milvus") is not None


class MilvusServer:
    """A server that can be stopped and started; it keeps its data meanwhile.

    It listens on all addresses, whatever it is told, but those of a network that has no way out. What is reached from
    here is one port on loopback.

    Attributes:
        uri: Where it is reached.
        log: What it says.
    """

    def __init__(self, folder: Path) -> None:
        self.uri = ""
        self.log = folder / "log"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._far = self._prepare()
        self._near = 0

    def start(self) -> None:
        """Starts it, and returns when it answers.

        Raises:
            CannotIsolate: There can be no network of its own.
            RuntimeError: It does not answer; with the end of what it said.
        """
        port = self._folder / "port"
        port.unlink(missing_ok=True)
        binary = self._folder / "bin" / "milvus"
        environment = {
            "DEPLOY_MODE": "STANDALONE",
            "LD_LIBRARY_PATH": str(binary.parent),
            "MILVUS_RUN_DIR": str(self._folder / "run"),
            "HOME": str(self._folder),
        }
        ports = [str(self._near), str(self._far)]
        command = [sys.executable, "-I", isolated.__file__, str(self._folder), *ports, str(binary), "run", "standalone"]
        self._process = subprocess.Popen(command, env=environment)  # noqa: S603 - a program of ours, without a shell
        until = time.monotonic() + _SECONDS
        while not (port.exists() and self._answers(int(port.read_text()))):
            if self._process.poll() == isolated.REFUSED:
                raise CannotIsolate("the kernel does not let us have a network of our own")
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise RuntimeError(f"the Milvus server did not start: {self.tail()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Kills it, as a machine that loses power would."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def tail(self) -> str:
        """Returns the end of what it said."""
        return self.log.read_text(errors="replace")[-_TAIL:] if self.log.exists() else ""

    def _answers(self, port: int) -> bool:
        from kaynak.engines.milvus.library import MilvusClient, MilvusException

        try:
            client = MilvusClient(f"http://127.0.0.1:{port}", timeout=1, dedicated=True)
        except MilvusException:
            return False
        try:
            client.list_collections(timeout=5)
        except MilvusException:
            return False
        finally:
            client.close()
        self._near, self.uri = port, f"http://127.0.0.1:{port}"
        return True

    def _prepare(self) -> int:
        """Unpacks it and writes its configuration; returns its port in its network."""
        import milvus

        milvus._initialize_data_files(str(self._folder))
        config = milvus.MilvusServerConfig(data_dir=str(self._folder))
        for key, value in {**_HASTE, **_LEASE}.items():
            config.set(key, value)
        with warnings.catch_warnings():
            # It leaves sockets open where a port is taken, such as by another test that looks for one just now.
            warnings.simplefilter("ignore", ResourceWarning)
            config.resolve()
        written = self._folder / "configs" / "milvus.yaml"
        text = written.read_text()
        for section, (key, value) in _MORE_HASTE.items():
            text = text.replace(f"\n{section}:\n", f"\n{section}:\n  {key}: {value}\n")
        written.write_text(text)
        return int(config.get("proxy_port"))


@contextmanager
def milvus_server() -> Iterator[MilvusServer]:
    """Runs a server while the block runs.

    Raises:
        CannotIsolate: See `MilvusServer.start`.
    """
    with tempfile.TemporaryDirectory(prefix="kaynak-milvus-") as folder:
        server = MilvusServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()
