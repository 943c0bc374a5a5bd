from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import threading

import pytest

from kaynak.domain import InvalidRequest, Unavailable, WeakPassword
from kaynak.identity import passwords as module
from kaynak.identity.legacy import Pbkdf2Hasher
from kaynak.identity.password_rules import check_password
from kaynak.identity.passwords import Passwords
from kaynak.identity.people import People

pytestmark = pytest.mark.anyio


@pytest.fixture
def passwords():
    made = Passwords()
    yield made
    made.close()


def legacy(password: str, salt: bytes, rounds: int = 100_000) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)


async def test_a_password_matches_its_hash_and_no_other(passwords):
    hashed = await passwords.hash("three unrelated words")
    assert hashed.startswith("$argon2id$")
    assert (await passwords.check("three unrelated words", hashed)).matches
    assert not (await passwords.check("three unrelated word", hashed)).matches
    assert await passwords.hash("three unrelated words") != hashed, "each has a salt of its own"


async def test_what_keyboards_spell_differently_is_the_same_password(passwords):
    hashed = await passwords.hash("ﬁne cafe\u0301s in İzmir")
    assert (await passwords.check("fine caf\u00e9s in İzmir", hashed)).matches


@pytest.mark.parametrize("form", ["hex", "base64", "unpadded", "url"])
async def test_a_legacy_hash_matches_and_is_made_anew(passwords, form):
    salt = os.urandom(16)
    encode = {
        "hex": bytes.hex,
        "base64": lambda value: base64.b64encode(value).decode(),
        "unpadded": lambda value: base64.b64encode(value).decode().rstrip("="),
        "url": lambda value: base64.urlsafe_b64encode(value).decode().rstrip("="),
    }[form]
    stored = f"pbkdf2_sha256$100000${encode(salt)}${encode(legacy('the old password', salt))}"
    assert passwords.acceptable(stored) == stored
    checked = await passwords.check("the old password", stored)
    assert checked.matches
    assert checked.rehashed is not None
    assert checked.rehashed.startswith("$argon2id$")
    assert (await passwords.check("the old password", checked.rehashed)).matches
    wrong = await passwords.check("another password", stored)
    assert not wrong.matches
    assert wrong.rehashed is None


@pytest.mark.parametrize(
    "stored",
    [
        "plain text",
        "",
        "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99",
        f"pbkdf2_sha256$1000${'00' * 16}${'00' * 32}",
        f"pbkdf2_sha256$9999999${'00' * 16}${'00' * 32}",
        f"pbkdf2_sha256$100000${'00' * 8}${'00' * 32}",
        f"pbkdf2_sha256$100000${'00' * 16}${'00' * 31}",
        f"pbkdf2_sha256$100000${'00' * 16}${'zz' * 32}",
        "$argon2id$v=19$m=32768,t=2,p=1$" + "A" * 600,
    ],
)
async def test_a_hash_that_cannot_be_checked_or_believed_is_refused(passwords, stored):
    with pytest.raises(InvalidRequest):
        passwords.acceptable(stored)


async def test_a_weaker_argon_hash_is_made_anew(passwords):
    from pwdlib.hashers.argon2 import Argon2Hasher

    weak = Argon2Hasher(time_cost=1, memory_cost=1024, parallelism=1).hash("three unrelated words")
    checked = await passwords.check("three unrelated words", weak)
    assert checked.matches
    assert checked.rehashed is not None


async def test_nobody_takes_as_much_work_as_somebody(passwords, monkeypatch):
    hashed = await passwords.hash("three unrelated words")
    await passwords.check("x", None)  # the first time, the hash to compare with is made
    from argon2 import PasswordHasher

    calls: list[str] = []
    verify = PasswordHasher.verify
    monkeypatch.setattr(
        PasswordHasher, "verify", lambda self, *args, **kwargs: calls.append("verify") or verify(self, *args, **kwargs)
    )
    assert not (await passwords.check("some password", None)).matches
    for_nobody = len(calls)
    await passwords.check("some password", hashed)
    assert for_nobody == len(calls) - for_nobody == 1


async def test_few_are_hashed_at_a_time_and_never_on_the_event_loop(monkeypatch):
    passwords = Passwords(parallel=2)
    running, most, threads = 0, 0, set()
    lock = threading.Lock()

    def slow(_: str) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            threads.add(threading.get_ident())
        threading.Event().wait(0.005)
        with lock:
            running -= 1
        return "hash"

    monkeypatch.setattr(passwords, "_hash", slow)
    await asyncio.gather(*(passwords.hash("x") for _ in range(50)))
    assert most <= 2
    assert threading.get_ident() not in threads
    passwords.close()


async def test_too_many_who_wait_are_told_to_come_again(passwords, monkeypatch):
    monkeypatch.setattr(module, "_MOST_WAITING", 3)
    monkeypatch.setattr(passwords, "_hash", lambda _: threading.Event().wait(0.01) or "hash")
    results = await asyncio.gather(*(passwords.hash("x") for _ in range(10)), return_exceptions=True)
    assert sum(result == "hash" for result in results) == 3
    assert sum(isinstance(result, Unavailable) for result in results) == 7


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "x" * 257,
        "password",
        "Password1!",
        "P@ssw0rd2024",
        "12345678",
        "0532 123 45 67",
        "qwertyuiop",
        "1q2w3e4r5t",
        "aaaaaaaaaaaa",
        "abcabcabcabc",
        "Galatasaray1905",
        "şifreşifre",
        "letmein!!!!",
        "iloveyou123",
        "zxcvbnm,./",
        "hgfedcba",
        "monkeydragon",
        "with\x00control",
    ],
)
def test_a_password_that_is_guessed_first_is_refused(password):
    with pytest.raises(WeakPassword):
        check_password(password)


@pytest.mark.parametrize(
    "password",
    [
        "three unrelated words",
        "correcthorsebatterystaple",
        "xk7vm2pq",
        "Kırmızı bisiklet uçtu",
        "пароль от сейфа",
        "password manager of the third floor",
        "日本語の長い合言葉",
    ],
)
def test_a_password_that_is_long_or_random_passes(password):
    check_password(password)


def test_a_password_is_not_made_of_the_name_or_address():
    about = ("ayse.yilmaz@example.org", "Ayşe Yılmaz")
    for weak in ("ayseyilmaz", "Yilmaz1987", "aysE-9912", "example-42"):
        with pytest.raises(WeakPassword):
            check_password(weak, about=about)
    check_password("yilmaz paints blue boats", about=about)


def test_the_old_hasher_makes_no_new_hashes():
    with pytest.raises(ValueError):
        Pbkdf2Hasher().hash("password")
    assert Pbkdf2Hasher().check_needs_rehash("")
    assert not Pbkdf2Hasher().verify("password", "nonsense")


async def test_a_password_beside_a_hash_is_not_passed_over() -> None:
    people = People(None, None)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="password and the hash"):
        await people._hashed("four quite unrelated words", "$argon2id$…", about=())
