"""Rate limits: a token bucket for each client."""

import time
from collections import OrderedDict
from typing import Final

BURST_SECONDS: Final = 2.0
CLIENTS_MAX: Final = 10_000
"""Buckets kept; the least recently used is dropped, and starts full again."""


class Rates:
    """The buckets of all clients of this process."""

    def __init__(
        self, requests_per_second_max: float, *, burst_seconds: float = BURST_SECONDS
    ) -> None:
        self._rate = requests_per_second_max
        self._size = max(1.0, requests_per_second_max * burst_seconds)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client_id: str) -> float:
        """Count one request. Returns the seconds to wait before it would be allowed, usually 0."""
        now = time.monotonic()
        left, filled_at = self._buckets.pop(client_id, (self._size, now))
        left = min(self._size, left + (now - filled_at) * self._rate)
        wait_seconds = 0.0 if left >= 1 else (1 - left) / self._rate
        self._buckets[client_id] = (left if wait_seconds else left - 1, now)
        if len(self._buckets) > CLIENTS_MAX:
            self._buckets.popitem(last=False)
        return wait_seconds
