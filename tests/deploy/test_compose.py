"""`docker compose up`, and then what README.md tells, from outside of the containers."""

import asyncio
import json
import re
import tomllib
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from invoicing.api.docs import service_routes
from tests.deploy.alerts import ALERTS
from tests.deploy.compose import PYTHON_IMAGE, ROOT, ComposeProject
from tests.deploy.dashboard import DASHBOARD, PANELS, expressions
from tests.support.service.commands import create_invoice, invoice_id, void_invoice
from tests.support.service.service import Service
from tests.support.stack.wait import eventually

pytestmark = [pytest.mark.timeout(900)]

CREATE = {
    "customer_id": "cus_42",
    "currency": "USD",
    "items": [{"description": "Pro plan", "unit_price": "100.00"}],
}
EXITED_WHEN_KILLED = 137
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
WORKERS = ("worker-1", "worker-2")
# Our packages take 140 of them.
IMAGE_MEGABYTES_MAX = 170
# It looks every five seconds; on a busy machine it may miss some.
PROMETHEUS_SECONDS_MAX = 120


def test_a_command_sent_from_the_host_is_answered_and_its_events_are_seen(
    compose: ComposeProject,
) -> None:
    subject = invoice_id()
    command = {"type": "CreateInvoice", "subject": subject, "data": CREATE}

    (answer,) = compose.invoicing("send", "-", given=json.dumps(command))
    events = compose.invoicing("watch", "--from-beginning", "--count", "2")

    assert answer["events"] == ["invoice.created", "invoice.opened"]
    assert [(event["subject"], event["version"]) for event in events] == [
        (subject, 1),
        (subject, 2),
    ]


def test_an_invoice_is_made_and_read_over_http_by_who_has_a_token(compose: ComposeProject) -> None:
    token = compose.compose("run", "--rm", "--no-deps", "api", "token").strip()
    allowed = {"Authorization": f"Bearer {token}"}

    with httpx.Client(base_url=compose.url, timeout=30) as http:
        refused = http.post("/v1/invoices", json=CREATE)
        made = http.post("/v1/invoices", json=CREATE, headers=allowed)
        read = http.get(made.headers["location"], headers=allowed)

    assert refused.status_code == 401
    assert (made.status_code, read.status_code) == (201, 200)
    assert read.json() == made.json()


async def test_nothing_is_lost_or_repeated_when_a_worker_is_killed(
    compose: ComposeProject, deployed: Service
) -> None:
    commands = [create_invoice(invoice_id()) for _ in range(2000)]
    half = len(commands) // 2
    await deployed.send(commands[:half])

    compose.compose("kill", "--signal", "SIGKILL", "worker-1")
    await deployed.send(commands[half:])
    compose.compose("start", "worker-1")
    await deployed.answered(commands)

    answers = deployed.answers_by_command()
    assert [len(answers[command.identity]) for command in commands] == [1] * len(commands)
    await eventually(lambda: compose.is_healthy("worker-1"), seconds=60)
    compose.compose("run", "--rm", "operator", "verify")


def test_every_process_is_nobody_and_can_write_nowhere(compose: ComposeProject) -> None:
    for service in (*WORKERS, "api"):
        told = compose.inspect(compose.container(service))

        assert told["Config"]["User"] == "10001:10001"
        assert told["HostConfig"]["ReadonlyRootfs"]
        assert told["HostConfig"]["CapDrop"] == ["ALL"]


def test_the_image_holds_nothing_to_install_or_build_with(compose: ComposeProject) -> None:
    tools = "pip pip3 gcc cc make"
    look = f"for tool in {tools}; do $tool --version >/dev/null 2>&1 && echo $tool; done; true"

    found = compose.docker("run", "--rm", "--entrypoint", "sh", compose.image, "-c", look)
    modules = compose.docker(
        *("run", "--rm", "--entrypoint", "python3", compose.image, "-c"),
        "from importlib.util import find_spec as f; print(f('pip'), f('ensurepip'))",
    )

    assert found == ""
    assert modules.split() == ["None", "None"]


def test_every_page_of_the_api_is_served_by_the_image(compose: ComposeProject) -> None:
    paths = sorted(
        route.path for route in service_routes.router.routes if isinstance(route, APIRoute)
    )
    assert {"/openapi.json", "/docs", "/health/ready"} <= set(paths)

    with httpx.Client(base_url=compose.url, timeout=30) as http:
        pages = {path: http.get(path) for path in paths}

    assert {path: page.status_code for path, page in pages.items()} == dict.fromkeys(paths, 200)
    assert all(page.content for page in pages.values())
    assert pages["/openapi.json"].json()["info"]["version"] == VERSION
    for asset in re.findall(r'(?:href|src)="([^"]+)"', pages["/docs"].text):
        assert asset in paths


def test_the_image_holds_the_installed_package_and_no_tools(compose: ComposeProject) -> None:
    look = """
import importlib.metadata, importlib.util, invoicing
print(importlib.metadata.version("invoicing"), importlib.util.find_spec("invoicing.tools"))
"""
    printed = compose.docker(
        "run", "--rm", "--entrypoint", "python", compose.image, "-c", look
    ).split()
    files = compose.docker(
        *("run", "--rm", "--entrypoint", "find", compose.image),
        *("/opt/invoicing", "-path", "*/invoicing/tools*"),
    )

    assert printed == [VERSION, "None"]
    assert files == ""


def test_the_image_runs_the_command_line_by_its_name(compose: ComposeProject) -> None:
    help_text = compose.docker("run", "--rm", compose.image, "--help")

    assert "Usage: invoicing" in help_text
    assert "worker" in help_text
    assert "demo" not in help_text


def test_the_image_adds_little_to_pythons(compose: ComposeProject) -> None:
    image, base = json.loads(compose.docker("image", "inspect", compose.image, PYTHON_IMAGE))

    assert (image["Size"] - base["Size"]) / 1e6 < IMAGE_MEGABYTES_MAX


def test_the_image_says_what_it_is(compose: ComposeProject) -> None:
    (image,) = json.loads(compose.docker("image", "inspect", compose.image))

    labels = image["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "invoicing"
    assert {"version", "revision", "description"} <= {
        name.removeprefix("org.opencontainers.image.") for name in labels
    }


async def test_a_worker_ends_well_when_it_is_told_to(compose: ComposeProject) -> None:
    compose.compose("stop", "worker-2")

    assert compose.inspect(compose.container("worker-2"))["State"]["ExitCode"] == 0
    compose.compose("start", "worker-2")
    await eventually(lambda: compose.is_healthy("worker-2"), seconds=60)


async def test_a_command_that_is_first_process_of_its_container_ends_when_it_is_told_to(
    compose: ComposeProject,
) -> None:
    watching = compose.compose(
        "run", "--detach", "--no-deps", "operator", "watch", "--from-beginning"
    ).strip()
    await eventually(lambda: compose.docker("logs", watching), seconds=60)

    await asyncio.to_thread(compose.docker, "stop", "--time", "30", watching)

    exit_code = compose.inspect(watching)["State"]["ExitCode"]
    compose.docker("rm", "--force", watching)
    assert exit_code != EXITED_WHEN_KILLED


async def test_prometheus_reaches_every_process(prometheus: httpx.Client) -> None:
    processes = {f"{service}:9000" for service in (*WORKERS, "api")}

    def up() -> set[str]:
        targets = told(prometheus, "targets", state="active")["activeTargets"]
        return {target["labels"]["instance"] for target in targets if target["health"] == "up"}

    await eventually(up, until=processes.__eq__, seconds=PROMETHEUS_SECONDS_MAX)


async def test_prometheus_evaluates_every_rule_without_an_error(prometheus: httpx.Client) -> None:
    def health() -> dict[str, str]:
        groups = told(prometheus, "rules")["groups"]
        return {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}

    evaluated = await eventually(
        health,
        until=lambda seen: "unknown" not in seen.values(),
        seconds=PROMETHEUS_SECONDS_MAX,
    )

    assert evaluated == {alert["alert"]: "ok" for alert in ALERTS}


async def test_what_workers_do_is_seen_in_prometheus(
    prometheus: httpx.Client, deployed: Service
) -> None:
    subject = invoice_id()
    voided = 'sum(invoicing_events_total{type="invoice.voided"})'

    await deployed.ask(create_invoice(subject), void_invoice(subject))

    await eventually(
        lambda: told(prometheus, "query", query=voided)["result"], seconds=PROMETHEUS_SECONDS_MAX
    )


def test_prometheus_answers_every_query_of_the_dashboard(prometheus: httpx.Client) -> None:
    for expression in (expression for panel in PANELS for expression in expressions(panel)):
        assert told(prometheus, "query", query=expression)["resultType"] == "vector"


def test_grafana_shows_the_dashboard_and_reaches_prometheus(grafana: httpx.Client) -> None:
    (source,) = {panel["datasource"]["uid"] for panel in PANELS}

    shown = grafana.get(f"/api/dashboards/uid/{DASHBOARD['uid']}")
    asked = grafana.get(f"/api/datasources/proxy/uid/{source}/api/v1/query", params={"query": "up"})

    assert (shown.status_code, asked.status_code) == (200, 200)
    assert shown.json()["dashboard"]["title"] == DASHBOARD["title"]


def told(prometheus: httpx.Client, what: str, **parameters: str) -> Any:
    """An answer of its API: https://prometheus.io/docs/prometheus/latest/querying/api/"""
    response = prometheus.get(f"/api/v1/{what}", params=parameters)
    assert response.status_code == 200, response.text
    return response.json()["data"]
