"""What `make run` and `make demo` do, in the commands a person would type."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
KAYNAK = str(Path(sys.executable).with_name("kaynak"))
COLLECTION = "company"
QUESTIONS = (
    "How soon must a lost laptop be reported?",
    "How many days of annual leave do I get from the fifth year on?",
    "Yangın söndürücülerin tozu ne kadar sürede değiştirilir?",
)


def kaynak(*arguments: str) -> int:
    """Types one command, shows it, and returns its exit code."""
    shown = " ".join(f'"{part}"' if " " in part else part for part in arguments)
    print(f"\n$ kaynak {shown}", flush=True)
    return subprocess.call([KAYNAK, *arguments], cwd=HERE)


def has_sample() -> bool:
    """Returns whether the sample company is there from an earlier start."""
    listing = subprocess.run([KAYNAK, "collections", "list", "--json"], capture_output=True, text=True, check=False)
    return listing.returncode == 0 and f'"{COLLECTION}"' in listing.stdout


def add_sample() -> int:
    """Ingests the sample company; nothing happens for files that are there unchanged."""
    return kaynak("add", "company", "-c", COLLECTION)


def demo() -> int:
    """Ingests, asks three questions, and returns 0 if all went well."""
    return max([add_sample(), *(kaynak("ask", question, "-c", COLLECTION) for question in QUESTIONS)])


def serve() -> int:
    """Starts the server; on the first start also ingests the sample and asks a question."""
    server = subprocess.Popen([KAYNAK, "up"])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: server.send_signal(received))
    if wait_ready(server) and not has_sample():
        add_sample()
        kaynak("ask", QUESTIONS[0], "-c", COLLECTION)
        print("\nThe server is running; Ctrl-C stops it.", flush=True)
    return server.wait()


def wait_ready(server: subprocess.Popen[bytes], seconds: float = 60) -> bool:
    """Returns whether the server answers before it ends or the time is up."""
    import httpx

    config = subprocess.run([KAYNAK, "config", "--json"], capture_output=True, text=True, check=True)
    settings = {item["name"]: item["value"] for item in json.loads(config.stdout)["settings"]}
    url = f"http://127.0.0.1:{settings['port']}/ready"
    until = time.monotonic() + seconds
    while time.monotonic() < until and server.poll() is None:
        try:
            if httpx.get(url, timeout=2).status_code == httpx.codes.OK:
                return True
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    return False


if __name__ == "__main__":
    os.environ.setdefault("KAYNAK_DATA_DIR", str(HERE.parent / ".kaynak"))
    sys.exit(serve() if "--serve" in sys.argv[1:] else demo())
