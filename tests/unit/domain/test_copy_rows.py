from __future__ import annotations

from kaynak.domain.copy_rows import copy_rows, int4, int8, jsonb, texts


def test_a_stream_has_head_rows_and_end() -> None:
    head, end = b"PGCOPY\n\xff\r\n\x00" + bytes(8), b"\xff\xff"
    assert copy_rows([]) == head + end
    row = b"\x00\x02" + b"\x00\x00\x00\x02hi" + b"\x00\x00\x00\x00"
    assert copy_rows([(b"hi", b"")] * 2) == head + row * 2 + end


def test_values_are_big_endian() -> None:
    assert int4(-2) == b"\xff\xff\xff\xfe"
    assert int8(1) == bytes(7) + b"\x01"
    assert jsonb(b"{}") == b"\x01{}"


def test_arrays_of_texts() -> None:
    text_type = (25).to_bytes(4, "big")
    assert texts([]) == bytes(8) + text_type
    one = texts(["ö"])
    assert (
        one == b"\x00\x00\x00\x01" + bytes(4) + text_type + b"\x00\x00\x00\x01" * 2 + b"\x00\x00\x00\x02" + "ö".encode()
    )
