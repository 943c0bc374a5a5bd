from __future__ import annotations

from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart

import pytest

from kaynak.domain import UnreadableDocument, UnreadableReason
from kaynak.parsing import media
from kaynak.parsing.protocol import ParseLimits


def kinds(parsed) -> list[tuple[str, str, int | None]]:
    return [(block.kind.value, parsed.text[block.start : block.end], block.level) for block in parsed.blocks]


def message(subject: str = "Hello", body: str | None = "Some words.") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"] = "Ayşe Şen <a@b.c>", "d@e.f, Ali <g@h.i>"
    mail["Subject"], mail["Date"] = subject, "Mon, 02 Mar 2020 10:00:00 +0300"
    mail["MIME-Version"] = "1.0"
    if body is not None:
        mail.set_content(body)
    return mail


def test_headers_and_plain_body(read) -> None:
    parsed = read("a.txt", message("İzin talebi ✓", "Merhaba,\n\n- bir\n- iki\n").as_bytes())
    assert (parsed.media_type, parsed.title) == (media.EML, "İzin talebi ✓")
    assert parsed.metadata == {
        "author": "Ayşe Şen <a@b.c>", "to": "d@e.f, Ali <g@h.i>", "created": "2020-03-02T10:00:00+03:00",
    }  # fmt: skip
    assert kinds(parsed) == [
        ("heading", "İzin talebi ✓", 1),
        ("paragraph", "From: Ayşe Şen <a@b.c>\nTo: d@e.f, Ali <g@h.i>\nDate: 2020-03-02 10:00:00+03:00", None),
        ("paragraph", "Merhaba,", None),
        ("list_item", "- bir", 0),
        ("list_item", "- iki", 0),
    ]


def test_alternatives_are_read_once_unless_they_differ(read) -> None:
    mail = message(body="The same words in both forms of it.\n")
    mail.add_alternative("<p>The same <b>words</b> in both forms of it.</p>", subtype="html")
    assert read("a.eml", mail.as_bytes()).text.count("same") == 1
    other = message(body="Completely different sentences about something else.\n")
    other.add_alternative("<p>Rich form.</p>", subtype="html")
    text = read("a.eml", other.as_bytes()).text
    assert "Rich form." in text
    assert "Completely different" in text


def test_attachments_and_messages_within(read) -> None:
    mail = message()
    mail.add_attachment("a,b,c\n1,2,3\n4,5,6\n", subtype="csv", filename="tablo ş.csv")
    mail.add_attachment(b"\x00\x01", maintype="application", subtype="octet-stream", filename="junk.bin")
    mail.add_attachment(b"\xff\xd8\xff", maintype="image", subtype="jpeg", filename="photo.jpg")
    mail.add_attachment(message("Inner", "Inner words."))
    parsed = read("a.eml", mail.as_bytes())
    assert ("heading", "Attachment: tablo ş.csv", 2) in kinds(parsed)
    assert "| a | b | c |" in parsed.text
    assert ("heading", "Inner", 2) in kinds(parsed)
    assert "Inner words." in parsed.text
    assert "Attachment: photo.jpg" in parsed.text
    assert len(parsed.warnings) == 2


def test_attachments_deeper_than_the_limit_are_named(read) -> None:
    mail = message()
    mail.add_attachment("plain words", filename="a.txt")
    parsed = read("a.eml", mail.as_bytes(), limits=ParseLimits(archive_depth=0))
    assert "plain words" not in parsed.text
    assert "too deep" in parsed.warnings[0]


def test_messages_in_messages_in_messages(read) -> None:
    mail = message("level 0")
    for level in range(1, 40):
        outer = message(f"level {level}")
        outer.add_attachment(mail)
        mail = outer
    parsed = read("a.eml", mail.as_bytes())
    assert "level 39" in parsed.text
    assert parsed.warnings == ("Messages nested too deeply were left out.",)


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-9", "windows-1254", "nonsense", "utf-16"])
def test_bodies_in_wrongly_named_charsets(read, charset) -> None:
    head = f"From: a@b.c\nSubject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset={charset}\n\n"
    assert "ışık ğ" in read("a.eml", head.encode() + "Gün ışığı: ışık ğ ve şarkı".encode()).text


def test_broken_structure(read) -> None:
    head = "From: a@b.c\nTo: x\nSubject: =?utf-8?B?nope=?= =?bogus?Q?x?=\nMIME-Version: 1.0\n"
    assert read("a.eml", head + "Content-Type: multipart/mixed; boundary=nothere\n\nwords").text
    assert read("a.eml", head + "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n!!!words").text
    assert "words" in read("a.eml", ("\ufeff" + head + "\nwords").encode("utf-16")).text


def test_encrypted_mail_says_so(read) -> None:
    mail = MIMEMultipart("encrypted", protocol="application/pgp-encrypted")
    mail["From"], mail["Subject"] = "a@b.c", "secret"
    with pytest.raises(UnreadableDocument) as caught:
        read("a.eml", mail.as_bytes())
    assert caught.value.reason is UnreadableReason.ENCRYPTED


def test_nothing_said(read) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        read("a.eml", "From: a@b.c\nDate: x\nMIME-Version: 1.0\n\n\n")
    assert caught.value.reason is UnreadableReason.NO_TEXT
