from __future__ import annotations

import json
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from kaynak.api import dumps

ID = UUID(int=7)


@dataclass(frozen=True, slots=True)
class Noun:
    name: str
    id: UUID = ID
    metadata: dict[str, object] = field(default_factory=dict)
    many: tuple[object, ...] = ()


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**299])
def test_a_number_of_any_length_is_written_to_the_last_digit(number):
    noun = Noun("a", metadata={"n": number, "m": [{"n": number}], "flag": True}, many=(number, 1.5, None, Noun("b")))
    found = json.loads(dumps(noun))
    assert found["metadata"] == {"n": number, "m": [{"n": number}], "flag": True}
    assert found["many"][:3] == [number, 1.5, None]
    assert found["many"][3] == json.loads(dumps(Noun("b")))
    assert found["id"] == str(ID)


def test_what_has_no_form_is_refused():
    with pytest.raises(TypeError, match="object"):
        dumps({"a": object(), "n": 2**70})
