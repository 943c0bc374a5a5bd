"""A workshop whose files are read and drawn in real guarded processes."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import httpx
import pytest

from kaynak.api import create_app
from kaynak.limiting import MemoryLimiter, Rates
from kaynak.observability import Metrics
from kaynak.parsing import ParseLimits, ParserPool
from kaynak.settings import Settings
from kaynak.testing.callers import OnlyTheOwner
from kaynak.testing.workshop import Workshop
from kaynak.viewing import Places


@pytest.fixture
async def workshop(catalog, tmp_path):
    pool = ParserPool(ParseLimits(wall_seconds=30), 1, ocr=False)
    shop = Workshop(catalog, tmp_path, parsers=pool)
    shop.places = Places(catalog, shop.blobs, pool)
    yield shop
    await pool.close()


@pytest.fixture
def client_of(workshop, tmp_path):
    def make(**services) -> httpx.AsyncClient:
        settings = Settings(data_dir=tmp_path, _env_file=None)
        services = {"metrics": Metrics(), "documents": workshop.documents, "places": workshop.places, **services}
        identity = SimpleNamespace(callers=OnlyTheOwner())
        app = create_app(
            SimpleNamespace(settings=settings, rates=Rates(MemoryLimiter(), {}), identity=identity, **services)
        )
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")

    return make


@pytest.fixture
def locked_pdf() -> bytes:
    """A PDF of one page that opens with the password ``secret`` (RC4, 40 bit: the simplest there is)."""
    padding = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
    identity = b"0123456789abcdef"
    user = (b"secret" + padding)[:32]
    owner = _rc4(hashlib.md5(user).digest()[:5], user)
    key = hashlib.md5(user + owner + (-4 & 0xFFFFFFFF).to_bytes(4, "little") + identity).digest()[:5]
    content = _rc4(
        hashlib.md5(key + (4).to_bytes(3, "little") + b"\0\0").digest()[:10],
        b"BT /F 12 Tf 72 700 Td (Top secret leave rules.) Tj ET",
    )
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 /Resources << /Font << /F 5 0 R >> >> >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>",
        b"<< /Length %d >>\nstream\n" % len(content) + content + b"\nendstream",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(bodies, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    lock = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{owner.hex()}> /U <{_rc4(key, padding).hex()}> /P -4 >>"
    out += f"trailer\n<< /Size 6 /Root 1 0 R /ID [<{identity.hex()}> <{identity.hex()}>] {lock} >>\n".encode()
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def _rc4(key: bytes, data: bytes) -> bytes:
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)
