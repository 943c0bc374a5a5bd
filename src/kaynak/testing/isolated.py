"""Runs a program in a network of its own, in which it may listen where it likes; one port of it is reached from here.

A program: ``python isolated.py FOLDER NEAR FAR COMMAND…``. The port ``NEAR`` on loopback leads to ``FAR`` in that
network; 0 is for any, which it writes into ``FOLDER/port``. What the program says goes to ``FOLDER/log``. It ends its
program when it is terminated, and both end when whoever started it does. Linux only.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_DIE_WITH_PARENT = 1
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1
_CHUNK = 1 << 16

REFUSED = 77
"""How it exits where the kernel does not let it have a network of its own."""

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Has the kernel kill this process when the one that started it ends, however it ends."""
    _libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def _enter_own_network() -> None:
    """Moves this process into a network that has nothing but loopback.

    Raises:
        OSError: The kernel does not let us.
    """
    # Who is not root may do it as the root of a user namespace of their own.
    if _libc.unshare(_NEW_NETWORK) != 0 and _libc.unshare(_NEW_USER | _NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "this machine does not let us have a network of our own")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        flags = struct.unpack("16sh", fcntl.ioctl(control, _GET_FLAGS, struct.pack("16sh", b"lo", 0)))[1]
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sh", b"lo", flags | _UP))


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(_CHUNK):
            target.sendall(data)
    except OSError:
        pass
    for one in (source, target):
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            continue


def _relay(near: socket.socket, port: int) -> None:
    with near:
        try:
            far = socket.create_connection(("127.0.0.1", port))
        except OSError:
            return  # not listening yet: closed at once, as a refusal would be
        with far:
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=_pump, args=(far, near), daemon=True)
            back.start()
            _pump(near, far)
            back.join()


def main(folder: Path, near_port: int, far_port: int, command: list[str]) -> None:
    """Runs the program, and relays connections to it until it ends."""
    die_with_parent()
    # A socket belongs to the network that it was made in, also after the process has moved.
    listener = socket.create_server(("127.0.0.1", near_port))
    try:
        _enter_own_network()
    except OSError:
        sys.exit(REFUSED)
    with (folder / "log").open("wb") as log:
        program = subprocess.Popen(  # noqa: S603 - what tests ask for, without a shell
            command, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent
        )
    signal.signal(signal.SIGTERM, lambda *_: program.kill())
    threading.Thread(target=lambda: os._exit(abs(program.wait())), daemon=True).start()
    made = folder / "port.new"
    made.write_text(str(listener.getsockname()[1]))
    made.rename(folder / "port")
    while True:
        near, _ = listener.accept()
        threading.Thread(target=_relay, args=(near, far_port), daemon=True).start()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
