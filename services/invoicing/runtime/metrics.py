"""Metrics of every process: its dependencies and its connections.

Labels are bounded: no id is ever one. The base unit comes last in a name:
https://prometheus.io/docs/practices/naming/
"""

from prometheus_client import Gauge

DEPENDENCY_UP = Gauge("invoicing_dependency_up", "1 while it answers, else 0", ["dependency"])
POOL_CONNECTIONS = Gauge(
    "invoicing_postgres_pool_connections", "Open connections to Postgres", ["role"]
)
POOL_IDLE = Gauge(
    "invoicing_postgres_pool_idle_connections", "Open connections that are not in use", ["role"]
)
POOL_WAITING = Gauge(
    "invoicing_postgres_pool_waiting_requests", "Requests that wait for a connection", ["role"]
)
