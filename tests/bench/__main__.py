"""`invoicing bench` on servers that are chosen as for the tests, and end with it.

python -m tests.bench [options of invoicing bench]
"""

import os
import subprocess
import sys
from contextlib import closing

from runtime.settings import PREFIX
from tests.stack.kafka import choose_kafka
from tests.stack.postgres import choose_postgres


def main() -> int:
    kafka, postgres = choose_kafka(), choose_postgres()
    if not kafka.option.real:
        sys.exit(f"The benchmark needs a real Kafka, but {kafka.reasons}.")
    with closing(kafka.option()) as broker, closing(postgres.option()) as server:
        given = {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap, "POSTGRES_DSN": server.dsn}
        return subprocess.run(
            [sys.executable, "-m", "ops.main", "bench", *sys.argv[1:]],
            env={**os.environ, **{f"{PREFIX}{name}": value for name, value in given.items()}},
            check=False,
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
