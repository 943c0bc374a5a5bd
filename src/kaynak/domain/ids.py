from __future__ import annotations

import os
import time
from uuid import UUID


def new_id() -> UUID:
    """Returns a UUID version 7 (RFC 9562): random, and in the order of creation.

    Time-ordered keys keep B-tree inserts at the right edge. Python gains ``uuid.uuid7`` in 3.14.
    """
    stamp = time.time_ns() // 1_000_000
    rand = int.from_bytes(os.urandom(10))
    value = (stamp & (1 << 48) - 1) << 80 | 0x7 << 76 | (rand >> 68) << 64 | 0b10 << 62 | rand & (1 << 62) - 1
    return UUID(int=value)
