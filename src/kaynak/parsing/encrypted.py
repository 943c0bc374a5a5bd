from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kaynak.domain import ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.parsing.protocol import ParseLimits, Source

_EVERYBODYS = "VelvetSweatshop"  # Excel encrypts read-only workbooks with it, and opens them without asking


class EncryptedOfficeParser:
    """Office files under a password: decrypted with the one given, then read as what they are."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """See `Parser.parse`."""
        from kaynak.parsing.dispatch import parse_file

        with decrypted(source) as plain:
            return parse_file(plain, limits)


@contextmanager
def decrypted(source: Source) -> Iterator[Source]:
    """Gives the decrypted file, for as long as the context is open.

    Raises:
        UnreadableDocument: There is no password, or it is not the right one.
    """
    with tempfile.TemporaryDirectory(prefix="kaynak-") as folder:
        target = Path(folder) / "plain"
        for password in filter(None, (source.password, _EVERYBODYS)):
            if _decrypt(source.path, target, password):
                yield Source(target, source.name, source.media_type)
                return
    if source.password:
        raise UnreadableDocument(
            UnreadableReason.WRONG_PASSWORD, "The password does not open the file.", hint="Try another one."
        )
    raise UnreadableDocument(
        UnreadableReason.ENCRYPTED, "The file is encrypted.", hint="Upload it again together with its password."
    )


def _decrypt(path: Path, target: Path, password: str) -> bool:
    import msoffcrypto
    from msoffcrypto.exceptions import DecryptionError, FileFormatError, InvalidKeyError, ParseError

    try:
        with path.open("rb") as stream, target.open("wb") as out:
            office = msoffcrypto.OfficeFile(stream)
            office.load_key(password=password)
            office.decrypt(out)
    except (InvalidKeyError, DecryptionError):
        return False
    except (FileFormatError, ParseError, OSError) as exc:
        raise UnreadableDocument(
            UnreadableReason.CORRUPT, "The encrypted file is damaged, or encrypted in an unknown way."
        ) from exc
    # Some formats cannot check a password but by its result.
    with target.open("rb") as plain:
        return plain.read(2) in {b"PK", b"\xd0\xcf"}
