"""Cold and warm start of ``kaynak up`` to ready, and memory at rest."""

from __future__ import annotations

import tempfile
import time

from common import machine, running_server, server_memory


def main() -> None:
    """Prints a Markdown table."""
    print(f"Start and rest, {machine()}\n\n| start | seconds to ready |\n| --- | --- |")
    with tempfile.TemporaryDirectory(prefix="kaynak-bench-") as scratch:
        for name in ("first (new data directory)", "warm", "warm again"):
            begin = time.perf_counter()
            with running_server(KAYNAK_DATA_DIR=scratch) as (_, server, data_dir):
                print(f"| {name} | {time.perf_counter() - begin:.2f} |")
                time.sleep(3)
                memory = server_memory(server, data_dir)
    parts = ", ".join(f"{name} {amount:.0f}" for name, amount in sorted(memory.items()))
    print(f"\nMemory of the process tree at rest: {sum(memory.values()):.0f} MB (PSS: {parts})")


if __name__ == "__main__":
    main()
