from __future__ import annotations

import asyncio
import errno
import os
import stat
import subprocess
from pathlib import Path

import pytest

from kaynak.catalog import LocalBlobStore
from kaynak.catalog.blob_writing import Portion
from kaynak.domain import Misconfigured, StorageFull
from kaynak.testing.blobs import BlobStoreSuite


class TestLocalBlobStore(BlobStoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LocalBlobStore:
        return LocalBlobStore(tmp_path / "blobs")


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalBlobStore(tmp_path)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull):
        asyncio.run(store.put(b"content"))
    with pytest.raises(StorageFull):
        asyncio.run(store.put_many([b"content", b"other"]))
    assert files(tmp_path) == []


def test_every_folder_of_a_portion_is_flushed_before_it_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    flush = os.fsync

    def noted(handle: int) -> None:
        flushed.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        flush(handle)

    monkeypatch.setattr(os, "fsync", noted)
    store = LocalBlobStore(tmp_path / "blobs")
    kept = asyncio.run(store.put_many([b"one", b"two", b"three"]))
    for key, _ in kept:
        place = asyncio.run(store.open_path(key))
        # The blob's folder comes after the blob, which was flushed under another name.
        assert {str(place.parent), str(place.parent.parent), str(place.parent.parent.parent)} <= set(flushed[3:])
    assert all("incoming" in name for name in flushed[:3])
    flushed.clear()
    assert asyncio.run(store.put_many([b"two"])) == [kept[1]]
    assert flushed == []


def test_who_finds_a_blob_that_another_portion_has_not_flushed_flushes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalBlobStore(tmp_path)
    with Portion(store._places) as unfinished:
        unfinished.add(b"shared", None)
        flushed: list[str] = []
        monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(str(Path(f"/proc/self/fd/{handle}").readlink())))
        for put in (store.put_many([b"shared"]), store.put(b"shared")):
            flushed.clear()
            asyncio.run(put)
            assert len({name for name in flushed if "incoming" not in name}) == 3
    flushed.clear()
    asyncio.run(store.put_many([b"shared"]))
    assert flushed == []


def test_a_portion_that_fails_leaves_no_blob_unflushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalBlobStore(tmp_path)
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error")))
    with pytest.raises(OSError, match="Input/output"):
        asyncio.run(store.put_many([b"one"]))
    assert files(tmp_path) == []
    assert store._places.settling == set()


def test_a_small_file_system_fills_up_and_recovers(tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount")
    try:
        store = LocalBlobStore(tmp_path)
        with pytest.raises(StorageFull):
            asyncio.run(store.put(os.urandom(4 << 20)))
        assert files(tmp_path) == []
        assert asyncio.run(store.put(b"small"))[1] == 5
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_other_errors_stay_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalBlobStore(tmp_path)

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output"):
        asyncio.run(store.put(b"content"))


def test_remainders_of_crashes_are_cleaned_and_never_seen(tmp_path: Path) -> None:
    store = LocalBlobStore(tmp_path)
    (tmp_path / "incoming" / "tmpold").write_bytes(b"half")
    os.utime(tmp_path / "incoming" / "tmpold", (0, 0))
    (tmp_path / "incoming" / "tmpnew").write_bytes(b"coming in")

    async def run() -> None:
        assert [key async for key in store.scan()] == []
        assert await store.clean() == 1
        assert await store.clean() == 0

    asyncio.run(run())
    assert [path.name for path in files(tmp_path)] == ["tmpnew"]


def test_only_the_owner_reads(tmp_path: Path) -> None:
    store = LocalBlobStore(tmp_path / "blobs")
    asyncio.run(store.put(b"private"))
    for path in [tmp_path / "blobs", *(tmp_path / "blobs").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_place_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="cannot be used"):
        LocalBlobStore(tmp_path / "file" / "blobs")
