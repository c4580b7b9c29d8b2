"""The Grafana dashboard: provisioned, and every panel asks for what there is."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.deploy.promql import metrics_asked_for, metrics_there_are
from tests.deploy.tools import REPOSITORY, promtool, run

GRAFANA = REPOSITORY / "deploy" / "grafana"
DASHBOARD = json.loads((GRAFANA / "dashboards" / "invoicing.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
# What Grafana puts in for a panel's own time range.
INTERVAL = ("$__rate_interval", "5m")

each_panel = pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])


def expressions(panel: dict[str, Any]) -> Iterator[str]:
    for target in panel["targets"]:
        yield target["expr"].replace(*INTERVAL)


@each_panel
def test_a_panel_asks_for_metrics_that_there_are(panel: dict[str, Any]) -> None:
    for expression in expressions(panel):
        asked = metrics_asked_for(expression)
        assert asked
        assert asked <= metrics_there_are()


@each_panel
def test_a_panel_says_what_it_shows_and_in_which_unit(panel: dict[str, Any]) -> None:
    assert panel["description"]
    assert panel["fieldConfig"]["defaults"]["unit"]


def test_prometheus_can_read_every_query(tmp_path_factory: pytest.TempPathFactory) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression}
        for number, expression in enumerate(
            expression for panel in PANELS for expression in expressions(panel)
        )
    ]
    path = tmp_path_factory.mktemp("dashboard") / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    run(promtool(), "check", "rules", path)


def test_panels_fill_the_page_without_lying_over_each_other() -> None:
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len(cells) == len(set(cells))
    assert {x for x, _ in cells} == set(range(24))


def test_every_metric_of_ours_is_shown() -> None:
    shown = {
        name
        for panel in PANELS
        for expression in expressions(panel)
        for name in metrics_asked_for(expression)
    }

    # Of a histogram, any one of its three is enough.
    missing = {re.sub("_(bucket|sum|count)$", "", name) for name in metrics_there_are() - shown}
    told = {re.sub("_(bucket|sum|count)$", "", name) for name in shown}
    assert {name for name in missing - told if name.startswith("invoicing_")} == set()


def test_the_dashboard_is_found_where_grafana_is_told_to_look() -> None:
    dashboards, datasources = (
        yaml.safe_load((GRAFANA / "provisioning" / kind / "invoicing.yaml").read_text())
        for kind in ("dashboards", "datasources")
    )

    (provider,) = dashboards["providers"]
    assert provider["options"]["path"] == "/etc/grafana/dashboards"
    (source,) = datasources["datasources"]
    assert {panel["datasource"]["uid"] for panel in PANELS} == {source["uid"]}
