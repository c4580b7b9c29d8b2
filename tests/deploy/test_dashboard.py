"""The Grafana dashboard: provisioned, and every panel asks for what there is."""

import re
from typing import Any

import pytest
import yaml

from tests.deploy.dashboard import DASHBOARD, GRAFANA, PANELS, expressions
from tests.deploy.promql import metrics_asked_for, metrics_there_are
from tests.deploy.tools import promtool, run

# https://grafana.com/docs/grafana/latest/administration/provisioning/: Grafana passes over what it
# does not know, and a misspelt setting would be as if it were not there.
PROVIDER_SETTINGS = {
    *("name", "orgId", "folder", "folderUid", "type", "disableDeletion", "updateIntervalSeconds"),
    *("allowUiUpdates", "options"),
}
DATASOURCE_SETTINGS = {
    *("name", "type", "access", "orgId", "uid", "url", "user", "database", "basicAuth"),
    *("basicAuthUser", "withCredentials", "isDefault", "jsonData", "secureJsonData", "version"),
    *("editable",),
}

each_panel = pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])


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
    provider, source = provisioned("dashboards", "providers"), provisioned("datasources")

    assert (provider["type"], provider["options"]["path"]) == ("file", "/etc/grafana/dashboards")
    assert {panel["datasource"]["uid"] for panel in PANELS} == {source["uid"]}
    assert {panel["datasource"]["type"] for panel in PANELS} == {source["type"]}


def test_grafana_knows_every_setting_that_it_is_given() -> None:
    assert provisioned("dashboards", "providers").keys() <= PROVIDER_SETTINGS
    assert provisioned("datasources").keys() <= DATASOURCE_SETTINGS


def provisioned(kind: str, entries: str = "") -> dict[str, Any]:
    """The one thing of its kind that Grafana is told of when it starts."""
    told = yaml.safe_load((GRAFANA / "provisioning" / kind / "invoicing.yaml").read_text())
    assert told["apiVersion"] == 1
    (one,) = told[entries or kind]
    return dict(one)
