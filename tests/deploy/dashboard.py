"""The Grafana dashboard, as tests read it."""

import json
from collections.abc import Iterator
from typing import Any, Final

from tests.deploy.tools import REPOSITORY

GRAFANA: Final = REPOSITORY / "deploy" / "grafana"
DASHBOARDS: Final = REPOSITORY / "deploy" / "helm" / "invoicing" / "dashboards"
DASHBOARD: Final = json.loads((DASHBOARDS / "invoicing.json").read_text())
PANELS: Final[list[dict[str, Any]]] = [
    panel for panel in DASHBOARD["panels"] if panel["type"] != "row"
]
# What Grafana puts in for a panel's own time range.
_INTERVAL: Final = ("$__rate_interval", "5m")


def expressions(panel: dict[str, Any]) -> Iterator[str]:
    """What a panel asks Prometheus for."""
    for target in panel["targets"]:
        yield target["expr"].replace(*_INTERVAL)
