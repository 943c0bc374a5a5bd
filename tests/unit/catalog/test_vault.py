"""What is sealed can be opened by its name and key alone."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaynak.catalog import Vault
from kaynak.domain import Misconfigured

NOWHERE = Path("/nowhere/secret.key")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50), st.integers(0, 1000))
def test_what_is_sealed_opens_unless_it_was_touched(text, place):
    vault = Vault("k" * 32, NOWHERE)
    sealed = vault.seal("openai", text)
    assert vault.open("openai", sealed) == text
    assert vault.open("anthropic", sealed) is None
    assert Vault("j" * 32, NOWHERE).open("openai", sealed) is None
    broken = bytearray(sealed)
    broken[place % len(broken)] ^= 1
    assert vault.open("openai", bytes(broken)) is None
    assert vault.open("openai", sealed[: place % len(sealed)]) is None


def test_what_is_derived_follows_from_the_key_and_the_purpose(tmp_path):
    path = tmp_path / "secret.key"
    assert len(Vault(None, path).derived("cache")) == 32
    assert Vault(None, path).derived("cache") == Vault(None, path).derived("cache")
    assert len({Vault(key * 32, NOWHERE).derived(purpose) for key in "ab" for purpose in ("cache", "secrets")}) == 4


def test_the_same_text_is_never_sealed_the_same_way():
    vault = Vault("k" * 32, NOWHERE)
    assert vault.seal("a", "text") != vault.seal("a", "text")


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path):
    path = tmp_path / "secret.key"
    with ThreadPoolExecutor(8) as executor:
        sealed = list(executor.map(lambda _: Vault(None, path).seal("a", "text"), range(16)))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret.key"]
    assert {Vault(None, path).open("a", one) for one in sealed} == {"text"}


def test_a_key_that_others_can_read_is_not_used(tmp_path):
    path = tmp_path / "secret.key"
    Vault(None, path).seal("a", "text")
    path.chmod(0o644)
    with pytest.raises(Misconfigured) as refused:
        Vault(None, path).seal("a", "text")
    assert "chmod 600" in refused.value.hint


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe" * 40])
def test_a_damaged_key_is_not_replaced(tmp_path, content):
    path = tmp_path / "secret.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(Misconfigured):
        Vault(None, path).seal("a", "text")
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_written_is_said():
    with pytest.raises(Misconfigured, match="cannot be kept"):
        Vault(None, NOWHERE).seal("a", "text")
