"""Secrets through a new key of the installation: whole, interrupted, and by two at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from kaynak.catalog import Catalog, MasterKeys, Secrets, Vault
from kaynak.catalog.sealed_secrets import SealedSecrets
from kaynak.domain import OWNER, InvalidRequest, Misconfigured

pytestmark = pytest.mark.anyio

ONE, TWO, THREE = "1" * 32, "2" * 32, "3" * 32
Make = Callable[..., Secrets]


@pytest.fixture
def keyfile(tmp_path: Path) -> Path:
    return tmp_path / "secret.key"


@pytest.fixture
def make(catalog: Catalog, keyfile: Path) -> Make:
    """Makes secrets as another process would see them."""
    return lambda secret=None, old=None: Secrets(catalog, MasterKeys(keyfile, secret, old))


async def stored(catalog: Catalog) -> list[bytes]:
    async with catalog.read() as unit:
        return [row.secret for row in await unit.sealed_secrets.all("")]


async def test_what_is_sealed_opens_by_its_name_alone_in_every_process(make, catalog, keyfile):
    secrets = make()
    assert not keyfile.exists()
    sealed = await secrets.seal("openai", "sk-çğ")
    assert await make().open("openai", sealed) == "sk-çğ"
    assert await make().open("anthropic", sealed) is None
    assert await make().open("openai", sealed[:-1] + bytes([sealed[-1] ^ 1])) is None
    assert await make().open("openai", b"") is None
    assert await make(secret=ONE).open("openai", sealed) == "sk-çğ"  # the file still opens it
    assert sealed != await secrets.seal("openai", "sk-çğ")
    assert all("sk-" not in repr(row) for row in [*await stored(catalog), sealed])


async def test_without_secrets_nothing_is_made(make, keyfile):
    assert await make().open_all({}) == {}
    assert not keyfile.exists()


async def test_many_at_once_make_one_data_key(make, catalog):
    sealed = await asyncio.gather(*(make().seal("a", str(number)) for number in range(8)))
    assert len(await stored(catalog)) == 1
    assert [await make().open("a", one) for one in sealed] == [str(number) for number in range(8)]


async def test_a_new_key_in_the_file(make, catalog, keyfile):
    running = make()
    sealed = await running.seal("a", "text")
    before, wrapped = keyfile.read_text(), await stored(catalog)
    done = await make().rotate(OWNER)
    assert (done.data_keys, done.secrets, done.unreadable) == (1, 0, 0)
    assert keyfile.read_text() != before
    assert keyfile.stat().st_mode & 0o077 == 0
    assert await stored(catalog) != wrapped
    assert sorted(path.name for path in keyfile.parent.iterdir()) == [".secret.key.lock", "secret.key"]
    assert await make().open("a", sealed) == "text"
    assert await running.open("a", sealed) == "text"
    assert await make().open("b", await running.seal("b", "later")) == "later"
    # The old key is worth nothing any more.
    keyfile.write_text(before)
    assert await make().open("a", sealed) is None


async def test_a_new_key_in_the_environment(make):
    sealed = await make(secret=ONE).seal("a", "text")
    with pytest.raises(InvalidRequest, match="already"):
        await make(secret=ONE).rotate(OWNER)
    with pytest.raises(Misconfigured) as refused:
        await make(secret=TWO).rotate(OWNER)
    assert "KAYNAK_OLD_SECRET_KEY" in refused.value.hint
    assert (await make(secret=TWO, old=ONE).rotate(OWNER)).data_keys == 1
    assert await make(secret=TWO).open("a", sealed) == "text"
    assert await make(secret=ONE).open("a", sealed) is None


async def test_from_the_file_to_the_environment_and_back(make, keyfile):
    sealed = await make().seal("a", "text")
    await make(secret=ONE).rotate(OWNER)
    keyfile.unlink()
    assert await make(secret=ONE).open("a", sealed) == "text"
    await make(old=ONE).rotate(OWNER)
    assert keyfile.exists()
    assert await make().open("a", sealed) == "text"


async def test_secrets_of_older_versions_open_and_get_a_data_key(make, catalog, keyfile):
    old = Vault(None, keyfile)
    async with catalog.begin() as unit:
        await unit.provider_keys.put("openai", old.seal("openai", "sk-old"))
        await unit.provider_keys.put("lost", Vault(THREE, keyfile).seal("lost", "sk-lost"))

    async def keys(secrets: Secrets) -> dict[str, str | None]:
        async with catalog.read() as unit:
            return await secrets.open_all(await unit.provider_keys.all())

    assert await keys(make()) == {"openai": "sk-old", "lost": None}
    done = await make().rotate(OWNER)
    assert (done.data_keys, done.secrets, done.unreadable) == (1, 1, 1)
    assert await keys(make()) == {"openai": "sk-old", "lost": None}
    async with catalog.read() as unit:
        assert (await unit.provider_keys.all())["openai"][0] == 2


async def test_the_first_data_key_adopts_secrets_of_older_versions(make, catalog, keyfile):
    async with catalog.begin() as unit:
        await unit.provider_keys.put("openai", Vault(None, keyfile).seal("openai", "sk-old"))
    await make().seal("other", "text")
    async with catalog.read() as unit:
        (sealed,) = (await unit.provider_keys.all()).values()
    assert sealed[0] == 2
    assert await make().open("openai", sealed) == "sk-old"


class Crash(BaseException):
    """Ends everything, as a power cut would."""


async def test_a_crash_before_the_data_keys_are_written_changes_nothing(make, catalog, keyfile, monkeypatch):
    sealed = await make().seal("a", "text")
    before, wrapped = keyfile.read_text(), await stored(catalog)

    async def crash(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(SealedSecrets, "put", crash)
        with pytest.raises(Crash):
            await make().rotate(OWNER)
    assert (keyfile.read_text(), await stored(catalog)) == (before, wrapped)
    assert await make().open("a", sealed) == "text"
    await make().rotate(OWNER)
    assert await make().open("a", sealed) == "text"


@pytest.mark.parametrize("again", [1, 2])
async def test_a_crash_after_the_data_keys_are_written_loses_nothing(make, keyfile, monkeypatch, again):
    sealed = await make().seal("a", "text")
    before = keyfile.read_text()

    def crash(_: object) -> None:
        raise Crash

    for _ in range(again):
        with monkeypatch.context() as patch:
            patch.setattr(MasterKeys, "promote", crash)
            with pytest.raises(Crash):
                await make().rotate(OWNER)
        assert keyfile.read_text() == before
        assert await make().open("a", sealed) == "text"  # by the key that waits beside
    await make().rotate(OWNER)
    assert keyfile.read_text() != before
    assert not keyfile.with_name("secret.key.next").exists()
    assert await make().open("a", sealed) == "text"


async def test_two_at_once_take_turns(make, keyfile):
    sealed = await make().seal("a", "text")
    done = await asyncio.gather(*(make().rotate(OWNER) for _ in range(4)))
    assert [one.data_keys for one in done] == [1] * 4
    assert not keyfile.with_name("secret.key.next").exists()
    assert await make().open("a", sealed) == "text"


async def test_it_is_in_the_audit_log_without_any_key(make, catalog):
    await make().seal("a", "text")
    await make().rotate(OWNER)
    async with catalog.read() as unit:
        from sqlalchemy import text

        rows = (await unit.connection.execute(text("SELECT action FROM kaynak.audit_events"))).scalars().all()
    assert rows == ["secrets.rotated"]
