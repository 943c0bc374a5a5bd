"""Whose buckets a request takes from."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from kaynak.domain import OWNER, Scope
from kaynak.limiting import MemoryLimiter, Purpose, Rates, refusal

pytestmark = pytest.mark.anyio

PERSON = Scope("user:1")


def rates(**a_minute: int) -> Rates:
    return Rates(MemoryLimiter(), {Purpose(name.replace("_", "-")): count for name, count in a_minute.items()})


async def test_the_owner_of_a_laptop_is_not_counted():
    it = rates(general=1)
    for _ in range(5):
        assert await it.spend(OWNER) == []


async def test_a_person_is_counted_for_each_purpose_apart():
    it = rates(general=1, ask=2)
    assert refusal(await it.spend(PERSON)) is None
    assert refusal(await it.spend(PERSON)) is not None
    assert refusal(await it.spend(PERSON, Purpose.ASK)) is None
    assert refusal(await it.spend(Scope("user:2"))) is None


async def test_a_key_has_its_own_bucket_and_its_persons():
    it = rates(general=3, key=2)
    with_key = replace(PERSON, key=uuid4())
    for _ in range(2):
        assert refusal(await it.spend(with_key)) is None
    assert "key" in refusal(await it.spend(with_key)).message
    # What the key may not do any more, its person may; what was refused has cost nobody anything.
    assert refusal(await it.spend(PERSON)) is None
    error = refusal(await it.spend(replace(PERSON, key=uuid4())))
    assert "general" in error.message
    assert 0 < error.retry_after <= 20
    assert "Retry-After" in error.hint


async def test_zero_and_absent_are_no_limit():
    it = rates(general=0)
    for _ in range(5):
        assert await it.spend(PERSON) == []
        assert await it.sign_in("192.0.2.1", "a@example.org") == []


async def test_signing_in_is_counted_by_address_and_by_account():
    it = rates(sign_in=2)
    assert refusal(await it.sign_in("192.0.2.1", "a@example.org")) is None
    assert refusal(await it.sign_in("192.0.2.2", " A@EXAMPLE.org")) is None
    assert refusal(await it.sign_in("192.0.2.3", "a@example.org")) is not None  # many addresses, one account
    assert refusal(await it.sign_in("192.0.2.1", "b@example.org")) is None
    assert refusal(await it.sign_in("192.0.2.1", "c@example.org")) is not None  # one address, many accounts


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "nonsense", True),
    ],
)
async def test_what_counts_as_one_address(one, other, same):
    it = rates(address=1)
    assert refusal(await it.strange(one)) is None
    assert (refusal(await it.strange(other)) is not None) is same
