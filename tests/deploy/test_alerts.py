"""The alert rules: well-formed, woken by what they say, and leading to a page that helps."""

from typing import Any

import pytest
import yaml

from tests.deploy.alerts import ALERTS, RULE_FILES
from tests.deploy.promql import metrics_asked_for, metrics_there_are
from tests.deploy.tools import REPOSITORY, promtool, run

CASES = REPOSITORY / "tests" / "deploy" / "alerts.yaml"

each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])


def test_prometheus_takes_the_rules_and_its_configuration() -> None:
    run(promtool(), "check", "rules", *RULE_FILES)
    configuration = REPOSITORY / "deploy" / "prometheus" / "prometheus.yml"
    run(promtool(), "check", "config", "--syntax-only", configuration)


def test_alerts_wake_for_what_they_say_and_sleep_through_the_rest() -> None:
    run(promtool(), "test", "rules", CASES)


def test_every_alert_has_a_case_in_which_it_wakes() -> None:
    woken = {
        case["alertname"]
        for test in yaml.safe_load(CASES.read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }

    assert woken == {alert["alert"] for alert in ALERTS}


@each_alert
def test_an_alert_links_to_a_runbook_that_is_there(alert: dict[str, Any]) -> None:
    assert (REPOSITORY / alert["annotations"]["runbook_url"]).is_file()


@each_alert
def test_the_runbook_of_an_alert_names_it(alert: dict[str, Any]) -> None:
    page = REPOSITORY / alert["annotations"]["runbook_url"]

    assert f"`{alert['alert']}`" in page.read_text()


@each_alert
def test_an_alert_asks_for_metrics_that_there_are(alert: dict[str, Any]) -> None:
    asked = metrics_asked_for(alert["expr"])

    assert asked
    assert asked <= metrics_there_are()


@each_alert
def test_an_alert_says_whether_to_wake_somebody(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}


def test_a_misspelt_metric_would_be_noticed() -> None:
    assert metrics_asked_for('sum by (le) (rate(invoicing_lag{a="up"}[5m])) > 2 or up') == {
        "invoicing_lag",
        "up",
    }
    assert "invoicing_lag" not in metrics_there_are()
