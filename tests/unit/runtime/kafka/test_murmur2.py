"""The partition of a key is the one that every other client computes."""

from random import Random

import pytest
from aiokafka.partitioner import murmur2 as of_aiokafka

from invoicing.runtime.kafka.murmur2 import murmur2


@pytest.mark.parametrize(
    ("key", "hashed"),
    # From the tests of Kafka's own clients: UtilsTest.testMurmur2.
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_that_of_java(key: bytes, hashed: int) -> None:
    assert murmur2(key) == hashed % 2**32


def test_the_hash_of_random_bytes_of_every_length_is_that_of_aiokafka() -> None:
    random = Random(2)
    for length in range(300):
        for key in (random.randbytes(length), b"\xff" * length, bytes(length)):
            assert murmur2(key) == of_aiokafka(key)
