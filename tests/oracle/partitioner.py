"""Which partition a key belongs to (contract 3)."""

import zlib
from functools import lru_cache

MASK = 0xFFFF_FFFF
SEED = 0x9747_B28C
MULTIPLIER = 0x5BD1_E995


def murmur2(data: bytes) -> int:
    """The 32-bit hash of Kafka's Java client, as a signed number."""
    length = len(data)
    state = SEED ^ length
    whole = length - length % 4
    for start in range(0, whole, 4):
        word = int.from_bytes(data[start : start + 4], "little") * MULTIPLIER & MASK
        word = (word ^ word >> 24) * MULTIPLIER & MASK
        state = state * MULTIPLIER & MASK ^ word
    if length > whole:
        state = (state ^ int.from_bytes(data[whole:], "little")) * MULTIPLIER & MASK
    state = (state ^ state >> 13) * MULTIPLIER & MASK
    state ^= state >> 15
    return state - (1 << 32) if state >> 31 else state


@lru_cache(maxsize=1 << 20)
def partition_of(key: str, partitions: int, partitioner: str = "murmur2") -> int | None:
    """The partition of a key; `None` with the partitioner `any`, where every partition will do."""
    data = key.encode("utf-8")
    if partitioner == "murmur2":
        return (murmur2(data) & 0x7FFF_FFFF) % partitions
    if partitioner == "crc32":
        return zlib.crc32(data) % partitions
    if partitioner == "any":
        return None
    raise ValueError(f"unknown partitioner {partitioner!r}, use murmur2, crc32 or any")
