"""The server's configuration files. They are ours: written anew at every start."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from kaynak.catalog.embedded.account import Account

ROLE = "postgres"  # not "kaynak": a role finds the schema of its own name first, and ours must mean the same to all
DATABASE = "kaynak"
PORT = 5432  # only names the socket file; nothing listens on TCP

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": 60,
    # Memory: a laptop runs this beside a browser. Of these only what is in use is taken from the system; a graph of
    # 100,000 vectors has 112 MB, and each search walks through thousands of its pages.
    "shared_buffers": "256MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "96MB",
    "autovacuum_work_mem": "48MB",
    "effective_cache_size": "1GB",
    "max_worker_processes": 4,
    "max_parallel_workers": 2,
    "max_parallel_workers_per_gather": 0,
    "io_method": "sync",  # no three resident I/O workers for a database that mostly sits in memory
    "jit": "off",
    # systemd removes the IPC objects of a user who logs out, and containers give 64 MB of /dev/shm: neither
    # touches anonymous memory and files of our own.
    "shared_memory_type": "mmap",
    "dynamic_shared_memory_type": "mmap",
    # Solid state disks.
    "random_page_cost": 1.1,
    "effective_io_concurrency": 64,
    "wal_compression": "pglz",
    "max_wal_size": "1GB",
    "min_wal_size": "80MB",
    "checkpoint_timeout": "10min",
    "autovacuum_max_workers": 1,
    "autovacuum_naptime": "30s",
    # A client that was killed must not hold its locks until its statement ends.
    "client_connection_check_interval": "2s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # One file per weekday, overwritten after a week. No statements and no values: they may be people's text.
    "logging_collector": "on",
    "log_filename": "postgres-%a.log",
    "log_file_mode": "0600",
    "log_rotation_age": "1d",
    "log_rotation_size": 0,
    "log_truncate_on_rotation": "on",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
    "cluster_name": "kaynak",
}
_TESTS_ONLY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": 120,
}


def write_configuration(cluster: Path, sockets: Path, logs: Path, account: Account, *, durable: bool) -> None:
    """Writes ``postgresql.conf``, ``pg_hba.conf`` and ``pg_ident.conf`` into the database cluster.

    The kernel tells the server who is on the other end of the socket (peer authentication); only the account
    of the server, and we ourselves, are let in. What a person sets with ALTER SYSTEM still wins.
    """
    settings = {
        **_SETTINGS,
        "unix_socket_directories": str(sockets),
        "log_directory": str(logs),
        **({} if durable else _TESTS_ONLY),
    }
    quoted = ((name, str(value).replace("'", "''")) for name, value in settings.items())
    names = {account.name, *_own_name()}
    files = {
        "postgresql.conf": "".join(f"{name} = '{value}'\n" for name, value in quoted),
        "pg_hba.conf": "local all all peer map=kaynak\n",
        "pg_ident.conf": "".join(f'kaynak "{name}" {ROLE}\n' for name in sorted(names)),
    }
    for name, content in files.items():
        path = cluster / name
        fresh = path.with_suffix(".new")
        fresh.write_text(f"# Written by Kaynak at every start; changes here are lost.\n{content}")
        fresh.chmod(0o600)
        account.own(fresh)
        fresh.replace(path)


def _own_name() -> list[str]:
    try:
        return [pwd.getpwuid(os.geteuid()).pw_name]
    except KeyError:
        return []
