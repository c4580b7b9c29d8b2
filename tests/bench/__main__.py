"""`invoicing bench` on servers that are chosen as for the tests, and end with it.

python -m tests.bench [options of invoicing bench]
"""

import os
import sys
from contextlib import closing

from invoicing.ops.main import main
from invoicing.runtime.settings import PREFIX
from tests.support.stack.kafka import choose_kafka
from tests.support.stack.postgres import choose_postgres


def bench() -> None:
    kafka, postgres = choose_kafka(), choose_postgres()
    if not kafka.option.real:
        sys.exit(f"The benchmark needs a real Kafka, but {kafka.reasons}.")
    with closing(kafka.option()) as broker, closing(postgres.option()) as server:
        os.environ[f"{PREFIX}KAFKA_BOOTSTRAP_SERVERS"] = broker.bootstrap
        os.environ[f"{PREFIX}POSTGRES_DSN"] = server.dsn
        sys.argv[1:1] = ["bench"]
        main()


if __name__ == "__main__":
    bench()
