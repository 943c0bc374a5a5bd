"""Files that are empty, huge, misnamed, locked, broken or strange: each costs itself and nothing else."""

from __future__ import annotations

import base64
import errno
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kaynak.domain import OWNER
from kaynak.ingestion import Upload

MEGABYTE = 1 << 20
TWO_GIGABYTES = 2 << 30

BROKEN_XREF = b"""%PDF-1.4
1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj
2 0 obj <</Type /Pages /Kids [3 0 R] /Count 1>> endobj
3 0 obj <</Type /Page /Parent 2 0 R /MediaBox [0 0 400 200] /Contents 4 0 R
 /Resources <</Font <</F 5 0 R>>>>>> endobj
4 0 obj <</Length 68>> stream
BT /F 14 Tf 20 100 Td (The walrus signs the harbour register.) Tj ET
endstream endobj
5 0 obj <</Type /Font /Subtype /Type1 /BaseFont /Helvetica>> endobj
xref
0 6
0000000000 65535 f
9999999999 00000 n
0000000001 00000 n
trailer <</Size 6 /Root 1 0 R>>
startxref
123456789
%%EOF
"""

SCAN = b"""%PDF-1.4
1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj
2 0 obj <</Type /Pages /Kids [3 0 R] /Count 1>> endobj
3 0 obj <</Type /Page /Parent 2 0 R /MediaBox [0 0 400 400] /Contents 4 0 R
 /Resources <</XObject <</I 5 0 R>>>>>> endobj
4 0 obj <</Length 29>> stream
q 400 0 0 400 0 0 cm /I Do Q
endstream endobj
5 0 obj <</Type /XObject /Subtype /Image /Width 8 /Height 8 /ColorSpace /DeviceGray /BitsPerComponent 1
 /Length 8>> stream
\xaa\x55\xaa\x55\xaa\x55\xaa\x55
endstream endobj
trailer <</Size 6 /Root 1 0 R>>
%%EOF
"""


def test_an_empty_file_fails_alone(service) -> None:
    name = service.collection()
    items = service.send(name, {"empty.txt": b"", "blank.txt": b" \n\t\n ", "full.txt": b"A pelican sits here."})
    assert {one: items[one]["error_code"] for one in items} == {
        "empty.txt": "empty",
        "blank.txt": "no-text",
        "full.txt": None,
    }
    assert service.found(name, "pelican")[0]["external_id"] == "full.txt"
    service.works(name)


def test_two_gigabytes_are_refused_before_they_are_received(service) -> None:
    name = service.collection()
    taken = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal taken
        yield b'--b\r\ncontent-disposition: form-data; name="file"; filename="huge.txt"\r\n\r\n'
        while taken < TWO_GIGABYTES:
            taken += MEGABYTE
            yield b"x" * MEGABYTE
        yield b"\r\n--b--\r\n"

    kind = {"content-type": "multipart/form-data; boundary=b"}
    path = f"/v1/collections/{name}/documents"
    told = service.ask("POST", path, content=body(), headers={**kind, "content-length": str(TWO_GIGABYTES)})
    assert told.status_code == 413
    assert taken <= 2 * MEGABYTE
    untold = service.ask("POST", path, content=body(), headers=kind)
    assert untold.status_code == 413
    assert taken <= 25 * MEGABYTE
    for answer in (told, untold):
        assert answer.json()["type"] == "urn:kaynak:error:too-large"
        assert "16 MB" in answer.json()["detail"]
        assert "KAYNAK_LIMITS__UPLOAD_MB" in answer.json()["hint"]
    json_body = service.ask("POST", path, json={"external_id": "a", "text": "x" * (65 * MEGABYTE)})
    assert json_body.status_code == 413
    service.works(name)


def test_two_gigabytes_from_a_path_are_not_copied_first(service, tmp_path: Path) -> None:
    name = service.collection()
    sparse = tmp_path / "sparse.txt"
    with sparse.open("wb") as file:
        file.truncate(TWO_GIGABYTES)
    sent = service.run(service.kaynak.intake.submit(OWNER, name, [Upload("sparse.txt", "sparse.txt", sparse)]))
    (item,) = sent.items
    assert (item.error_code, "UPLOAD_MB" in item.hint) == ("too-large", True)
    assert service.documents(name) == ["anchor.txt"]
    service.works(name)


def test_content_and_not_the_extension_says_what_a_file_is(service) -> None:
    name = service.collection()
    items = service.send(
        name,
        {
            "really-a-pdf.txt": BROKEN_XREF,
            "really-text.pdf": b"An ostrich runs the print shop.",
            "really-a-program.docx": b"\x7fELF" + bytes(range(256)) * 20,
            "noise.xlsx": os.urandom(20_000),
        },
    )
    assert items["really-a-pdf.txt"]["outcome"] == "added"
    assert items["really-text.pdf"]["outcome"] == "added"
    for one in ("really-a-program.docx", "noise.xlsx"):
        assert items[one]["error_code"] == "unsupported-format"
        assert items[one]["hint"]
    assert service.found(name, "ostrich")[0]["media_type"].startswith("text/")
    assert service.found(name, "walrus harbour register")[0]["media_type"] == "application/pdf"
    service.works(name)


def test_a_pdf_with_a_broken_xref_is_read_and_rubble_is_refused(service) -> None:
    name = service.collection()
    items = service.send(name, {"xref.pdf": BROKEN_XREF, "rubble.pdf": b"%PDF-1.7\n" + b"rubble " * 500 + b"\n%%EOF"})
    assert items["xref.pdf"]["outcome"] == "added"
    assert "walrus signs the harbour register" in service.text(name, "xref.pdf")
    assert items["rubble.pdf"]["error_code"] == "corrupt"
    assert items["rubble.pdf"]["hint"]
    service.works(name)


def test_a_scanned_pdf_without_ocr_says_what_to_install(service) -> None:
    name = service.collection()
    items = service.send(name, {"scan.pdf": SCAN})
    assert items["scan.pdf"]["error_code"] == "needs-ocr"
    assert "kaynak[ocr]" in items["scan.pdf"]["hint"]
    service.works(name)


def locked_docx(password: str) -> bytes:
    import docx
    from msoffcrypto.format.ooxml import OOXMLFile

    plain, locked = io.BytesIO(), io.BytesIO()
    document = docx.Document()
    document.add_paragraph("The badger keeps the spare key under the doormat.")
    document.save(plain)
    plain.seek(0)
    OOXMLFile(plain).encrypt(password, locked)
    return locked.getvalue()


def test_an_encrypted_file_asks_for_its_password(service) -> None:
    name = service.collection()
    locked = {"locked.docx": locked_docx("sesame"), "locked.pdf": base64.b64decode(LOCKED_PDF)}
    for password, code in ((None, "encrypted"), ("guess", "wrong-password")):
        items = service.send(name, locked, **({"password": password} if password else {}))
        assert {item["error_code"] for item in items.values()} == {code}, items
        assert all("assword" in item["hint"] or code == "wrong-password" for item in items.values()), items
    items = service.send(name, locked, password="sesame")
    assert {item["outcome"] for item in items.values()} == {"added"}, items
    assert service.found(name, "badger spare key")[0]["external_id"] == "locked.docx"
    assert service.found(name, "heron inspects the dam")[0]["external_id"] == "locked.pdf"
    with_secret = service.ask("GET", f"/v1/collections/{name}/documents").text
    assert "sesame" not in with_secret
    service.works(name)


@pytest.mark.untraced
@pytest.mark.slow
def test_ten_megabytes_in_one_line_become_passages(service) -> None:
    # The dense engine in memory: adding thousands of equal vectors to a graph is not what this is about.
    name = service.collection(dense={"name": "memory"})
    words = b"seven grey geese cross the frozen pond while nobody watches them "
    line = words * (10 * MEGABYTE // len(words)) + b"and then the platypus closed the ledger"
    items = service.send(name, {"line.txt": line})
    assert items["line.txt"]["outcome"] == "added"
    hit = service.found(name, "platypus ledger", mode="lexical", limit=1)[0]
    assert "platypus closed the ledger" in hit["text"]
    assert len(hit["text"]) < 20_000
    service.works(service.collection())


@pytest.mark.parametrize("kind", ["form", "json"])
def test_bytes_that_are_no_text_are_read_as_far_as_they_go(service, kind: str) -> None:
    name = service.collection()
    texts = {
        "invalid.txt": b"The otter files \xff\xfe\xc3\x28 the papers \xed\xa0\x80 in the attic.",
        "nul.txt": b"The marmot\x00 stamps \x00\x01\x02 the envelopes.",
        "rtl.txt": "\u202eהנמר סופר את המטבעות\u202c في المكتبة القديمة".encode(),
        "astral.txt": "𝔗𝔥𝔢 hedgehog 🦔🦔 draws 𠜎𠜱 and 👩‍👩‍👧‍👦 on the wall \U0010ffff.".encode(),
    }
    if kind == "json":
        path = f"/v1/collections/{name}/documents"
        nul = service.ask("POST", path, content=b'{"external_id": "n", "text": "a\\u0000b"}', headers=JSON)
        surrogate = service.ask("POST", path, content=b'{"external_id": "s", "text": "a\\ud800b"}', headers=JSON)
        invalid = service.ask("POST", path, content=b'{"external_id": "i", "text": "a\xff"}', headers=JSON)
        assert {one.status_code for one in (nul, surrogate, invalid)} == {422}
        texts = {one: text for one, text in texts.items() if one in {"rtl.txt", "astral.txt"}}
        for one, text in texts.items():
            answer = service.ask("POST", path, json={"external_id": one, "text": text.decode()})
            service.finished(answer.json()["job"]["id"])
    else:
        items = service.send(name, texts)
        assert {item["outcome"] for item in items.values()} <= {"added", "failed"}
        assert all(items[one]["outcome"] == "added" for one in ("invalid.txt", "rtl.txt", "astral.txt")), items
    queries = {
        "otter": "invalid.txt",
        "הנמר סופר את המטבעות": "rtl.txt",
        "hedgehog 🦔": "astral.txt",
    }
    for query, one in queries.items():
        if one in texts:
            hit = service.found(name, query)[0]
            assert hit["external_id"] == one
            text = service.text(name, one)
            assert hit["text"] == text[hit["span"]["start"] : hit["span"]["end"]]
            assert "\x00" not in text
    assert "🦔🦔 draws 𠜎𠜱" in service.text(name, "astral.txt")
    service.works(name)


def test_strange_names_stay_names_or_are_refused(service) -> None:
    name = service.collection()
    ids = ["../../etc/passwd", "🦔/fdp.exe", "a'b\";--", "%00%2e%2e%2f", "x" * 1024]
    for number, external_id in enumerate(ids):
        items = service.send(name, {"f.txt": f"Note number {number}.".encode()}, external_id=external_id)
        assert items[external_id]["outcome"] == "added", items
    for refused in ("", "a\x00b", "a\nb", "a\u202ebc", "x" * 1025):
        parts = [("file", ("f.txt", b"Refused."))]
        answer = service.ask("POST", f"/v1/collections/{name}/documents", files=parts, data={"external_id": refused})
        assert answer.status_code == 422, answer.text
        assert answer.json()["hint"]
    assert sorted(service.documents(name)) == sorted([*ids, "anchor.txt"])
    service.works(name)


def test_a_full_disk_is_a_507_and_loses_nothing(service, monkeypatch: pytest.MonkeyPatch) -> None:
    name = service.collection()
    path = f"/v1/collections/{name}/documents"

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("kaynak.catalog.blobs.os.fsync", full)
        form = service.ask("POST", path, files=[("file", ("new.txt", b"The lynx paints the fence."))])
        text = service.ask("POST", path, json={"external_id": "new.txt", "text": "The lynx paints the fence."})
        for answer in (form, text):
            assert answer.status_code == 507
            assert answer.json()["type"] == "urn:kaynak:error:storage-full"
            assert "space" in answer.json()["hint"]
        assert service.found(name, "steps of the lighthouse")[0]["external_id"] == "anchor.txt"
    assert service.documents(name) == ["anchor.txt"]
    assert service.send(name, {"new.txt": b"The lynx paints the fence."})["new.txt"]["outcome"] == "added"
    assert service.found(name, "lynx fence")[0]["external_id"] == "new.txt"
    service.works(name)


def test_forms_that_are_cut_or_forged_are_refused(service) -> None:
    name = service.collection()
    path = f"/v1/collections/{name}/documents"
    head = b'--b\r\ncontent-disposition: form-data; name="file"; filename="f.txt"\r\n\r\n'
    kind = {"content-type": "multipart/form-data; boundary=b"}
    for content, headers in (
        (b"", kind),
        (head + b"cut", kind),
        (head + b"x\r\n--b--\r\n", {"content-type": "multipart/form-data"}),
        (b"--b\r\ncontent-disposition: form-data\r\n\r\nx\r\n--b--\r\n", kind),
        (b"\x00" * 5000, kind),
        (b"x", {"content-type": "application/x-unheard-of"}),
    ):
        assert service.ask("POST", path, content=content, headers=headers).status_code == 422, content[:60]
    assert service.documents(name) == ["anchor.txt"]
    service.works(name)


JSON = {"content-type": "application/json"}

# One page under the standard security handler, revision 2 (RC4, 40 bits); its password is “sesame”.
LOCKED_PDF = """
JVBERi0xLjQKMSAwIG9iaiA8PC9UeXBlIC9DYXRhbG9nIC9QYWdlcyAyIDAgUj4+IGVuZG9iagoyIDAgb2JqIDw8L1R5cGUgL1BhZ2VzIC9LaWRzIFszID
AgUl0gL0NvdW50IDE+PiBlbmRvYmoKMyAwIG9iaiA8PC9UeXBlIC9QYWdlIC9QYXJlbnQgMiAwIFIgL01lZGlhQm94IFswIDAgNDAwIDIwMF0gL0NvbnRl
bnRzIDQgMCBSIC9SZXNvdXJjZXMgPDwvRm9udCA8PC9GIDUgMCBSPj4+Pj4+IGVuZG9iago0IDAgb2JqIDw8L0xlbmd0aCA1NT4+IHN0cmVhbQrPOCe2DK
t41hGBMkH3G7lStU9b7VlX9PjN+sIG9S4Ebpr++GonaT5JGZrnPakd1ptixuxgxiyeCmVuZHN0cmVhbSBlbmRvYmoKNSAwIG9iaiA8PC9UeXBlIC9Gb250
IC9TdWJ0eXBlIC9UeXBlMSAvQmFzZUZvbnQgL0hlbHZldGljYT4+IGVuZG9iago2IDAgb2JqIDw8L0ZpbHRlciAvU3RhbmRhcmQgL1YgMSAvUiAyIC9QIC
00IC9PIDxhN2VlYWZhZjk2MTRiZTM3Nzg3YTYwMjlkZTI0NjFlOWUyNDczYjJiNzlmZTU5Yjk2NjJjMmNjMmY1MDZkZDk2PiAvVSA8YTU0MjgxZTBiNWY2
MzFiOTFhYmFmMmFhZTg5NTE5MDc3M2I3NjhhZGYyZmFmY2I4NjgzZDk2ZmIzNjUwNjdkYz4+PiBlbmRvYmoKeHJlZgowIDcKMDAwMDAwMDAwMCA2NTUzNS
BmIAowMDAwMDAwMDA5IDAwMDAwIG4gCjAwMDAwMDAwNTYgMDAwMDAgbiAKMDAwMDAwMDExMSAwMDAwMCBuIAowMDAwMDAwMjMwIDAwMDAwIG4gCjAwMDAw
MDAzMzMgMDAwMDAgbiAKMDAwMDAwMDQwMSAwMDAwMCBuIAp0cmFpbGVyIDw8L1NpemUgNyAvUm9vdCAxIDAgUiAvRW5jcnlwdCA2IDAgUiAvSUQgWzwwMD
AxMDIwMzA0MDUwNjA3MDgwOTBhMGIwYzBkMGUwZj4gPDAwMDEwMjAzMDQwNTA2MDcwODA5MGEwYjBjMGQwZTBmPl0+PgpzdGFydHhyZWYKNTk0CiUlRU9G
Cg==
"""
