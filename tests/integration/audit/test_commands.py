"""The log, and a person's rights, on the command line."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from types import ModuleType, SimpleNamespace

import pytest
from typer.testing import CliRunner

from kaynak.auditing import AuditLog, Rights, SegmentFiles
from kaynak.catalog import Catalog, MasterKeys, Secrets
from kaynak.cli import command
from kaynak.cli.main import app as program
from kaynak.domain import Action, GlobalRole
from kaynak.identity import Identity, IdentityOptions

pytestmark = pytest.mark.anyio


@pytest.fixture
def kaynak(catalog, anchors, tmp_path, monkeypatch):
    """Runs a command line in a thread with an event loop of its own."""
    url = catalog.url

    @asynccontextmanager
    async def opened(settings, *, worker=False):
        mine = await Catalog.open(url, pool_size=2)
        mine.witness = anchors.note
        identity = Identity.over(mine, Secrets(mine, MasterKeys(tmp_path / "secret.key")), IdentityOptions())
        files = SegmentFiles(tmp_path / "audit")
        try:
            yield SimpleNamespace(
                settings=settings, identity=identity, audit=AuditLog(mine, files, anchors), rights=Rights(mine, files)
            )
        finally:
            await identity.close()
            await mine.close()

    module = ModuleType("kaynak.app")
    module.Kaynak = SimpleNamespace(open=opened)
    monkeypatch.setitem(sys.modules, "kaynak.app", module)
    monkeypatch.setattr(command, "run_async", asyncio.run)
    monkeypatch.setenv("KAYNAK_DATA_DIR", str(tmp_path))

    async def run(*words: str, code: int = 0) -> str:
        result = await asyncio.to_thread(CliRunner().invoke, program, list(words))
        assert result.exit_code == code, result.output
        return result.output

    return run


async def test_the_log_on_the_command_line(catalog, kaynak, tmp_path) -> None:
    assert "0 events are as they were written" in await kaynak("audit", "verify")
    await catalog.audit.record("user:1", Action.SEARCHED, "collection:1", documents=["a" * 100])
    await catalog.audit.record("user:2", Action.SEARCHED, "collection:2", documents=[])
    listed = json.loads(await kaynak("audit", "list", "--action", "search", "--since", "2020-01-01", "--json"))
    assert [one["subject"] for one in listed["items"]] == ["user:2", "user:1"]
    assert listed["items"][1]["details"] == {"documents": ["a" * 100]}
    assert "user:1\tsearch\tcollection:1" in await kaynak("audit", "list", "--object", "collection:1")
    await kaynak("audit", "list", "--since", "yesterday", code=2)
    assert "more than these 1" in await kaynak("audit", "list", "-n", "1")

    verified = await kaynak("audit", "verify")
    noted = verified.partition("Note elsewhere: ")[2].split()[0]
    await kaynak("audit", "verify", "--noted", noted)
    await kaynak("audit", "verify", "--noted", noted[:-1] + ("0" if noted[-1] != "0" else "1"), code=1)
    await kaynak("audit", "verify", "--noted", "7", code=2)
    file = tmp_path / "audit.jsonl"
    await kaynak("audit", "export", str(file))
    await kaynak("audit", "export", str(file), code=2)
    assert '"sequence":1' in await kaynak("audit", "export")
    assert json.loads(await kaynak("audit", "verify", str(file), "--json"))["ok"] is True
    file.write_text(file.read_text().replace("user:1", "user:7"))
    assert "NOT as they were written" in await kaynak("audit", "verify", str(file), code=1)

    assert "off" in await kaynak("audit", "policy")
    assert "full. Events are kept for 9 days" in await kaynak(
        "audit", "policy", "--query-text", "full", "--keep-days", "9"
    )
    assert json.loads(await kaynak("audit", "policy", "--keep-days", "0", "--json")) == {
        "query_text": "full",
        "keep_days": None,
    }
    await kaynak("audit", "seal", code=2)
    assert "nothing to seal" in await kaynak("audit", "seal", "--before", "2020-01-01")
    assert "Events 1 to" in await kaynak("audit", "seal", "--older-than-days", "0")
    await kaynak("audit", "verify")


async def test_a_persons_rights_on_the_command_line(catalog, kaynak, tmp_path) -> None:
    async with catalog.begin() as unit:
        for name, role in (("root", GlobalRole.ADMINISTRATOR), ("ada", GlobalRole.MEMBER)):
            await unit.users.add(f"{name}@example.org", name=name, role=role)
    assert json.loads(await kaynak("users", "export", "ada@example.org"))["profile"]["name"] == "ada"
    file = tmp_path / "ada.json"
    await kaynak("users", "export", "ada@example.org", str(file))
    await kaynak("users", "export", "ada@example.org", str(file), code=2)
    assert json.loads(file.read_text())["audit"][-1]["action"] == "user.exported"
    await kaynak("users", "erase", "ada@example.org", code=1)  # nobody said yes
    assert "Erased ada@example.org." in await kaynak("users", "erase", "ada@example.org", "--yes")
    await kaynak("users", "export", "ada@example.org", code=3)
    await kaynak("users", "erase", "root@example.org", "--yes", code=5)
    assert "as they were written" in await kaynak("audit", "verify")
