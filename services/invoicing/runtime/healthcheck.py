"""`python -m invoicing.runtime.healthcheck`: whether this container's worker or API is ready.

For container engines whose checks are commands. It runs every few seconds, so it imports little.
"""

import http.client
import os
import sys
from typing import Final

TIMEOUT_SECONDS: Final = 3


def main() -> None:
    """Ask the process itself. Exits with 1 and its report if it is not ready."""
    port = int(os.environ.get("INVOICING_METRICS_PORT", "9000"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        response = connection.getresponse()
        report = response.read().decode(errors="replace")
    except OSError as error:
        sys.exit(f"Port {port} does not answer: {error}")
    if response.status != http.HTTPStatus.OK:
        sys.exit(report)


if __name__ == "__main__":
    main()
