"""`python -m invoicing.runtime.healthcheck`: does this container's worker or API do its work now?

For engines that ask by a command. It is asked every few seconds, so it imports next to nothing.
"""

import http.client
import os
import sys
from typing import Final

TIMEOUT_SECONDS: Final = 3


def main() -> None:
    """Ask the process's own page. Exits with 1 where it is not ready, and says what is not well."""
    port = int(os.environ.get("INVOICING_METRICS_PORT", "9000"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        response = connection.getresponse()
        body = response.read().decode(errors="replace")
    except OSError as error:
        sys.exit(f"Port {port} does not answer: {error}")
    if response.status != http.HTTPStatus.OK:
        sys.exit(body)


if __name__ == "__main__":
    main()
