"""Ports that stay free while the service on them is down."""

import random
import socket

# Below the range from which the system gives ports to outgoing connections: a client that keeps
# trying to reach a stopped service there may be given that very port, and then talks to itself.
CANDIDATES = range(20_000, 30_000)


def free_port() -> int:
    while True:
        port = random.choice(CANDIDATES)
        with socket.socket() as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind(("", port))
            except OSError:
                continue
        return port
