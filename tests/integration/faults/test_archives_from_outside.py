"""Archives that would fill the disk, lead outside or cannot be opened: refused as a whole, with a reason."""

from __future__ import annotations

import base64
import gzip
import io
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

# One file, a.txt, under PKWARE's cipher; its password is “sesame”.
LOCKED_ZIP = (
    "UEsDBBQAAQAAAAAAIQCcW71/LgAAACIAAAAFAAAAYS50eHS64RSoMla1jbkfNAcYOwOfJ2m3kVqlvDkYCbWHz+E+xZAFAT2ThFl3H8Rg4fMm"
    "UEsBAhQDFAABAAAAAAAhAJxbvX8uAAAAIgAAAAUAAAAAAAAAAAAAAIABAAAAAGEudHh0UEsFBgAAAAABAAEAMwAAAFEAAAAAAA=="
)


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def nested(depth: int) -> bytes:
    content = b"The innermost note."
    name = "note.txt"
    for level in range(depth):
        content, name = zipped({name: content}), f"level-{level}.zip"
    return content


def tar_with_a_link(target: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, target
        archive.addfile(link)
        through = tarfile.TarInfo("link/planted.txt")
        through.size = 7
        archive.addfile(through, io.BytesIO(b"planted"))
    return packed.getvalue()


def bombs() -> bytes:
    """Many copies of a bomb side by side: each is small, together they are not."""
    bomb = zipped({"zeros": bytes(30_000_000)})
    return zipped({f"{number}.zip": bomb for number in range(6)})


@pytest.mark.parametrize(
    ("name", "content", "codes"),
    [
        ("bomb.zip", zipped({"zeros": bytes(100_000_000)}), {"unsafe-archive", "too-complex"}),
        ("bomb.gz", gzip.compress(bytes(60_000_000)), {"too-large"}),
        ("bombs.zip", bombs(), {"too-large"}),
        ("deep.zip", nested(12), {"too-complex"}),
        ("up.zip", zipped({"fine.txt": b"fine", "../../up.txt": b"x"}), {"unsafe-archive"}),
        ("absolute.zip", zipped({"/etc/cron.d/x": b"x"}), {"unsafe-archive"}),
        ("windows.zip", zipped({"..\\..\\up.txt": b"x"}), {"unsafe-archive"}),
        ("drive.zip", zipped({"C:\\up.txt": b"x"}), {"unsafe-archive"}),
        ("cut.zip", zipped({"a.txt": b"text " * 1000})[:-40], {"corrupt"}),
        ("none.zip", zipped({}), {"empty"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-",
)
def test_an_archive_that_cannot_be_taken_apart_costs_itself(service, name: str, content: bytes, codes) -> None:
    collection = service.collection()
    items = service.send(collection, {name: content, "beside.txt": b"A quokka waits beside the archive."})
    mine = [items[one] for one in items if one.startswith(name)]
    assert mine, items
    for item in mine:
        assert (item["outcome"], item["error_code"] in codes) == ("failed", True), item
        assert item["hint"] or item["error_code"] in {"empty", "corrupt"}, item
    assert items["beside.txt"]["outcome"] == "added"
    assert service.found(collection, "quokka")[0]["external_id"] == "beside.txt"
    assert sorted(service.documents(collection)) == ["anchor.txt", "beside.txt"]
    service.works(collection)


def test_nothing_is_written_outside(service, tmp_path: Path) -> None:
    collection = service.collection()
    items = service.send(collection, {"planted.tar": tar_with_a_link(str(tmp_path))})
    assert all(item["outcome"] in {"added", "failed"} for item in items.values())
    assert list(tmp_path.iterdir()) == []
    service.send(collection, {"up.zip": zipped({"../../up.txt": b"x", "../up.txt": b"x", "/tmp/up.txt": b"x"})})
    folders = [Path(tempfile.gettempdir()), Path("/"), service.settings.data_dir, service.settings.data_dir.parent]
    assert [folder for folder in folders if (folder / "up.txt").exists()] == []
    service.works(collection)


def test_a_few_levels_and_odd_names_are_fine(service) -> None:
    collection = service.collection()
    note = b"The ibis keeps the minutes."
    inner = zipped({"fōlder/ñote 🦔.txt": note, "empty.txt": b"", "broken.pdf": b"%PDF-1.4 x"})
    items = service.send(collection, {"outer.zip": zipped({"inner.zip": inner, "plain.txt": b"A gecko on the wall."})})
    assert {one: item["error_code"] for one, item in items.items()} == {
        "outer.zip/inner.zip/fōlder/ñote 🦔.txt": None,
        "outer.zip/inner.zip/empty.txt": "empty",
        "outer.zip/inner.zip/broken.pdf": "corrupt",
        "outer.zip/plain.txt": None,
    }
    hit = service.found(collection, "ibis minutes")[0]
    assert hit["external_id"] == "outer.zip/inner.zip/fōlder/ñote 🦔.txt"
    again = service.send(collection, {"outer.zip": zipped({"plain.txt": b"A gecko on the wall."})})
    assert again["outer.zip/plain.txt"]["outcome"] == "unchanged"
    service.works(collection)


def test_an_encrypted_archive_asks_for_its_password(service) -> None:
    collection = service.collection()
    locked = {"locked.zip": base64.b64decode(LOCKED_ZIP)}
    for password, code in ((None, "encrypted"), ("guess", "wrong-password")):
        items = service.send(collection, locked, **({"password": password} if password else {}))
        assert {item["error_code"] for item in items.values()} == {code}, items
        assert all(item["hint"] for item in items.values()), items
    items = service.send(collection, locked, password="sesame")
    assert items["locked.zip/a.txt"]["outcome"] == "added"
    assert service.found(collection, "ferret treasure map")[0]["external_id"] == "locked.zip/a.txt"
    service.works(collection)
