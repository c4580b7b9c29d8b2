"""The hash by which Java's default partitioner spreads keys over partitions.

https://github.com/apache/kafka/blob/4.1/clients/src/main/java/org/apache/kafka/common/utils/Utils.java
"""

from struct import unpack_from
from typing import Final

_SEED: Final = 0x9747B28C


def murmur2(data: bytes) -> int:
    """MurmurHash2 of 32 bits, unsigned.

    aiokafka has it too, byte by byte. This one reads words and takes half the instructions.
    """
    size = len(data)
    hash_ = _SEED ^ size
    for word in unpack_from(f"<{size >> 2}I", data):
        mixed = word * 0x5BD1E995 & 0xFFFFFFFF
        hash_ = (hash_ * 0x5BD1E995 ^ (mixed ^ mixed >> 24) * 0x5BD1E995) & 0xFFFFFFFF
    if rest := size & 3:
        hash_ = (hash_ ^ int.from_bytes(data[-rest:], "little")) * 0x5BD1E995 & 0xFFFFFFFF
    hash_ = (hash_ ^ hash_ >> 13) * 0x5BD1E995 & 0xFFFFFFFF
    return hash_ ^ hash_ >> 15
