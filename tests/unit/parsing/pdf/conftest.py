"""A small writer of PDF files, so that every test shows what is on its page."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from kaynak.parsing import ocr

_FONTS = {"sans": "Helvetica", "bold": "Helvetica-Bold", "mono": "Courier"}
_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
_ID = b"0123456789abcdef"


@dataclass
class PdfPage:
    """One page; y counts upwards from the lower edge, as in PDF."""

    width: float = 595
    height: float = 842
    rotate: int = 0
    content: list[str] = field(default_factory=list)
    annotations: list[str] = field(default_factory=list)
    image: bool = False

    def text(
        self, x: float, y: float, text: str, size: float = 10, font: str = "sans", mode: int = 0, turned: bool = False
    ) -> PdfPage:
        escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        matrix = f"0 1 -1 0 {x} {y}" if turned else f"1 0 0 1 {x} {y}"
        self.content.append(f"BT /{font} {size} Tf {mode} Tr {matrix} Tm ({escaped}) Tj ET")
        return self

    def lines(self, x: float, y: float, texts: list[str], size: float = 10, pitch: float = 1.2, **style: str) -> float:
        """Writes lines downwards; returns where the next would stand."""
        for text in texts:
            self.text(x, y, text, size, **style)  # type: ignore[arg-type]
            y -= size * pitch
        return y

    def rule(self, x0: float, y0: float, x1: float, y1: float) -> PdfPage:
        self.content.append(f"{x0} {y0} m {x1} {y1} l S")
        return self

    def scan(self) -> PdfPage:
        """Covers the page with a picture."""
        self.image = True
        self.content.append(f"q {self.width} 0 0 {self.height} 0 0 cm /scan Do Q")
        return self


class PdfWriter:
    """Collects pages and writes the file."""

    def __init__(self) -> None:
        self.pages: list[PdfPage] = []
        self.info: dict[str, str] = {}
        self.outline: list[tuple[str, int, int]] = []
        self.catalog = ""
        self.extra: list[str] = []
        self.password: tuple[str, str] | None = None

    def page(self, **kind: float) -> PdfPage:
        page = PdfPage(**kind)  # type: ignore[arg-type]
        self.pages.append(page)
        return page

    def write(self) -> bytes:
        objects = self._objects()
        key = self._key() if self.password else None
        out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
        places = []
        for number, (head, stream) in enumerate(objects, 1):
            places.append(len(out))
            body = head.encode("latin-1")
            if stream is not None:
                stream = _rc4(_object_key(key, number), stream) if key else stream
                body += b"\nstream\n" + stream + b"\nendstream"
            out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
        start = len(out)
        out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
        for place in places:
            out += b"%010d 00000 n \n" % place
        encrypt = self._encrypt() if self.password else b""
        identity = _ID.hex().encode()
        out += b"trailer\n<< /Size %d /Root 1 0 R /Info 3 0 R /ID [<%s> <%s>]%s >>\nstartxref\n%d\n%%%%EOF\n" % (
            len(objects) + 1,
            identity,
            identity,
            encrypt,
            start,
        )
        return bytes(out)

    def _objects(self) -> list[tuple[str, bytes | None]]:
        fonts = " ".join(
            f"/{name} << /Type /Font /Subtype /Type1 /BaseFont /{base} /Encoding /WinAnsiEncoding >>"
            for name, base in _FONTS.items()
        )
        pixels = zlib.compress(b"\xff" * 64)
        first = 6 + len(self.extra)
        kids = " ".join(f"{first + 2 * index} 0 R" for index in range(len(self.pages)))
        info = " ".join(f"/{key} ({value})" for key, value in self.info.items())
        outline_at = first + 2 * len(self.pages)
        outlines = f"/Outlines {outline_at} 0 R" if self.outline else ""
        image = f"<< /Type /XObject /Subtype /Image /Width 8 /Height 8 /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /FlateDecode /Length {len(pixels)} >>"  # noqa: E501
        objects: list[tuple[str, bytes | None]] = [
            (f"<< /Type /Catalog /Pages 2 0 R {outlines} {self.catalog} >>", None),
            (f"<< /Type /Pages /Kids [{kids}] /Count {len(self.pages)} >>", None),
            (f"<< {info} >>" if not self.password else "<< >>", None),
            (f"<< {fonts} >>", None),
            (image, pixels),
            *((one, None) for one in self.extra),
        ]
        for index, page in enumerate(self.pages):
            content = "\n".join(page.content).encode("cp1252")
            notes = f"/Annots [{' '.join(page.annotations)}]" if page.annotations else ""
            head = (
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {page.width} {page.height}] /Rotate {page.rotate} "
                f"/Resources << /Font 4 0 R /XObject << /scan 5 0 R >> >> "
                f"/Contents {first + 2 * index + 1} 0 R {notes} >>"
            )
            objects += [(head, None), (f"<< /Length {len(content)} >>", content)]
        return objects + self._outline_objects(outline_at, first)

    def _outline_objects(self, at: int, first: int) -> list[tuple[str, bytes | None]]:
        """The entries as (title, page from 1, level from 1), each level nested under the one before."""
        if not self.outline:
            return []
        numbers = [at + 1 + index for index in range(len(self.outline))]
        levels = [level for _, _, level in self.outline]
        objects: list[tuple[str, bytes | None]] = [(f"<< /Type /Outlines /First {numbers[0]} 0 R >>", None)]
        for index, (title, page, level) in enumerate(self.outline):
            links = ""
            rest = range(index + 1, len(levels))
            sibling = next((j for j in rest if levels[j] <= level), None)
            if sibling is not None and levels[sibling] == level:
                links += f" /Next {numbers[sibling]} 0 R"
            if index + 1 < len(levels) and levels[index + 1] > level:
                links += f" /First {numbers[index + 1]} 0 R"
            target = first + 2 * (page - 1)
            objects.append((f"<< /Title ({title}) /Dest [{target} 0 R /Fit]{links} >>", None))
        return objects

    def _owner_entry(self) -> bytes:
        assert self.password
        user, owner = self.password
        digest = hashlib.md5(_padded(owner or user)).digest()[:5]
        return _rc4(digest, _padded(user))

    def _key(self) -> bytes:
        assert self.password
        permissions = (-4 & 0xFFFFFFFF).to_bytes(4, "little")
        return hashlib.md5(_padded(self.password[0]) + self._owner_entry() + permissions + _ID).digest()[:5]

    def _encrypt(self) -> bytes:
        user = _rc4(self._key(), _PADDING).hex()
        owner = self._owner_entry().hex()
        return f" /Encrypt << /Filter /Standard /V 1 /R 2 /O <{owner}> /U <{user}> /P -4 >>".encode()


def _padded(password: str) -> bytes:
    return (password.encode("latin-1") + _PADDING)[:32]


def _object_key(key: bytes, number: int) -> bytes:
    return hashlib.md5(key + number.to_bytes(3, "little") + b"\0\0").digest()[: len(key) + 5]


def _rc4(key: bytes, data: bytes) -> bytes:
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out = bytearray()
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


@pytest.fixture
def pdf() -> PdfWriter:
    return PdfWriter()


@pytest.fixture
def filler() -> Callable[[int], list[str]]:
    """Makes lines of prose of one width."""
    text = "river stone market window garden letter silver morning copper bridge winter summer"

    def lines(count: int) -> list[str]:
        words = text.split()
        return [" ".join(words[(3 * i + k) % len(words)] for k in range(6)) for i in range(count)]

    return lines


@pytest.fixture
def without_ocr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "_installed", lambda: False)
