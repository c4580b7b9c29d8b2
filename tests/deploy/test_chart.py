"""The Helm chart: what it renders is valid, closed, and fits the service's own settings."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from invoicing.runtime.settings import PREFIX, SECRETS, Settings, setting_names
from tests.deploy.tools import REPOSITORY, helm, refused, run

# Where Helm is not installed it is built first, and from nothing that takes some minutes.
pytestmark = pytest.mark.timeout(900)

CHART = REPOSITORY / "deploy" / "helm" / "invoicing"
PRODUCTION = REPOSITORY / "deploy" / "helm" / "production.yaml"
HERE = Path(__file__).parent
VALUES = {
    "minimal": HERE / "values-minimal.yaml",
    "plain": HERE / "values-plain.yaml",
    "production": PRODUCTION,
    "everything": HERE / "values-everything.yaml",
}
KUBERNETES = ("1.30", "1.34")
# Of others, whose schemas Kubernetes does not have.
CUSTOM = {"ScaledObject", "TriggerAuthentication", "PodMonitor", "PrometheusRule", "HTTPRoute"}

each_values = pytest.mark.parametrize("values", VALUES)


@cache
def rendered(values: str, kubernetes: str = KUBERNETES[-1]) -> list[dict[str, Any]]:
    """The documents that the chart makes of a file of values."""
    output = run(
        helm(), "template", "billing", CHART, "--namespace", "finance",
        "--kube-version", kubernetes, "--values", VALUES[values],
    )  # fmt: skip
    return [document for document in yaml.safe_load_all(output) if document]


def pods(values: str) -> Iterator[dict[str, Any]]:
    """The specification of each kind of pod."""
    for document in rendered(values):
        spec = document.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "containers" in spec.get("template", {}).get("spec", {}):
            yield spec["template"]["spec"]


def environment(pod: dict[str, Any]) -> dict[str, str]:
    (container,) = pod["containers"]
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


def named(values: str, kind: str) -> dict[str, dict[str, Any]]:
    return {d["metadata"]["name"]: d for d in rendered(values) if d["kind"] == kind}


@each_values
def test_helm_finds_nothing_to_mend(values: str) -> None:
    run(helm(), "lint", "--strict", CHART, "--values", VALUES[values])


def test_the_chart_has_no_links_that_helm_would_remark_on_each_time() -> None:
    assert not [path for path in CHART.rglob("*") if path.is_symlink()]


@pytest.mark.parametrize("kubernetes", KUBERNETES)
@each_values
def test_kubernetes_takes_what_is_rendered(values: str, kubernetes: str) -> None:
    documents = rendered(values, kubernetes)

    for document in documents:
        if document["kind"] not in CUSTOM:
            kubernetes_validate.validate(document, kubernetes, strict=True)
    assert {"StatefulSet", "Deployment", "Job"} <= {document["kind"] for document in documents}


@each_values
def test_every_container_is_closed(values: str) -> None:
    for pod in pods(values):
        context = pod["securityContext"]
        assert context["runAsNonRoot"]
        assert context["runAsUser"] != 0
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            closed = container["securityContext"]
            assert closed["readOnlyRootFilesystem"]
            assert closed["allowPrivilegeEscalation"] is False
            assert closed["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["requests"]
            assert container["resources"]["limits"]["memory"]


@each_values
def test_what_runs_on_is_probed_and_its_disruption_bounded(values: str) -> None:
    budgets = named(values, "PodDisruptionBudget")
    running = named(values, "StatefulSet") | named(values, "Deployment")

    assert budgets.keys() == running.keys() == {"billing-invoicing-worker", "billing-invoicing-api"}
    for name, document in running.items():
        (container,) = document["spec"]["template"]["spec"]["containers"]
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()
        labels = document["spec"]["template"]["metadata"]["labels"]
        assert budgets[name]["spec"]["selector"]["matchLabels"].items() <= labels.items()


@each_values
def test_every_setting_is_one_that_the_service_knows(values: str) -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    known |= {f"{PREFIX}{secret}_FILE" for secret in SECRETS}

    for pod in pods(values):
        assert environment(pod).keys() <= known


@each_values
def test_no_setting_is_given_twice(values: str) -> None:
    for pod in pods(values):
        (container,) = pod["containers"]
        names = [entry["name"] for entry in container["env"]]
        assert len(names) == len(set(names))


def test_every_setting_is_either_the_charts_own_or_taken_as_a_value() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    taken = {f"{PREFIX}{name}" for name in schema["properties"]["settings"]["properties"]}
    seen = {name for values in VALUES for pod in pods(values) for name in environment(pod)}
    given = {
        f"{PREFIX}{name}"
        for values in VALUES.values()
        for name in yaml.safe_load(values.read_text()).get("settings", {})
    }
    # They belong to the containers' ports, which the chart names.
    fixed = {f"{PREFIX}{name}" for name in ("HTTP_PORT", "METRICS_PORT", "METRICS_HOST")}
    for_tests = {f"{PREFIX}CLOCK_OFFSET_SECONDS"}
    own = seen - given
    secrets = {f"{PREFIX}{name}" for name in SECRETS if f"{PREFIX}{name}_FILE" in own}

    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert known <= taken | own | fixed | secrets | for_tests
    assert not taken & (own | fixed | secrets | for_tests)


def test_every_file_that_a_setting_can_name_can_be_mounted() -> None:
    files = {name for name in setting_names() if name.endswith(("_FILE", "_PATH"))}

    mounted = {name for values in VALUES for pod in pods(values) for name in environment(pod)}

    assert {f"{PREFIX}{name}" for name in files} <= mounted


@each_values
def test_every_file_that_a_setting_names_is_mounted(values: str) -> None:
    for pod in pods(values):
        (container,) = pod["containers"]
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert set(mounts.values()) == {volume["name"] for volume in pod["volumes"]}
        for name, value in environment(pod).items():
            if name.endswith(("_FILE", "_PATH")):
                assert str(Path(value).parent) in mounts, name


@each_values
def test_no_secret_is_in_what_is_rendered(values: str) -> None:
    assert not named(values, "Secret")
    secret = {f"{PREFIX}{name}" for name in SECRETS}
    for pod in pods(values):
        assert not secret & environment(pod).keys()


@each_values
def test_a_worker_keeps_its_name_in_the_group_through_restarts(values: str) -> None:
    (worker,) = named(values, "StatefulSet").values()
    (container,) = worker["spec"]["template"]["spec"]["containers"]

    (name,) = [e for e in container["env"] if e["name"] == "INVOICING_GROUP_INSTANCE_ID"]
    assert name["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


@each_values
def test_schema_and_topics_are_there_before_anything_else(values: str) -> None:
    jobs = named(values, "Job")

    assert jobs.keys() == {"billing-invoicing-migrate", "billing-invoicing-topics"}
    for job in jobs.values():
        hooks = job["metadata"]["annotations"]["helm.sh/hook"]
        assert hooks == "pre-install,pre-upgrade"
        # What the release makes is not there yet.
        made = {d["metadata"]["name"] for d in rendered(values) if d["kind"] == "ConfigMap"}
        volumes = job["spec"]["template"]["spec"]["volumes"]
        assert not {v["configMap"]["name"] for v in volumes if "configMap" in v} & made


def test_workers_follow_the_lag_and_never_outnumber_the_partitions() -> None:
    (scaled,) = named("production", "ScaledObject").values()
    (worker,) = named("production", "StatefulSet").values()
    partitions = yaml.safe_load(PRODUCTION.read_text())["topics"]["partitions"]

    assert "replicas" not in worker["spec"]
    assert scaled["spec"]["scaleTargetRef"]["name"] == worker["metadata"]["name"]
    assert scaled["spec"]["maxReplicaCount"] == partitions
    (trigger,) = scaled["spec"]["triggers"]
    assert (trigger["type"], trigger["metadata"]["tls"]) == ("kafka", "enable")
    assert trigger["metadata"]["topic"] == Settings.model_fields["topic_commands"].default


def test_autoscaling_is_off_until_it_is_asked_for() -> None:
    assert not named("minimal", "ScaledObject")
    (worker,) = named("minimal", "StatefulSet").values()
    assert worker["spec"]["replicas"] == 2


def test_nothing_goes_in_or_out_but_what_must() -> None:
    policies = named("production", "NetworkPolicy")

    whole = policies["billing-invoicing"]["spec"]
    assert whole["policyTypes"] == ["Ingress", "Egress"]
    (metrics,) = whole["ingress"]
    assert metrics["ports"] == [{"port": "metrics"}]
    assert metrics["from"]
    out = {port["port"] for rule in whole["egress"] for port in rule["ports"]}
    assert out == {53, 9093, 5432, 4318}
    for pod in rendered("production"):
        template = pod.get("spec", {}).get("template")
        if template:
            labels = template["metadata"]["labels"]
            assert whole["podSelector"]["matchLabels"].items() <= labels.items()


def test_prometheus_and_grafana_are_given_the_files_of_this_repository() -> None:
    (rules,) = named("production", "PrometheusRule").values()
    (dashboard,) = [
        document
        for name, document in named("production", "ConfigMap").items()
        if name.endswith("-dashboard")
    ]
    shipped = (CHART / "rules" / "invoicing.yaml").read_text()
    assert rules["spec"] == yaml.safe_load(shipped)
    shown = (CHART / "dashboards" / "invoicing.json").read_text()
    assert dashboard["data"]["invoicing.json"].strip() == shown.strip()
    monitors = named("production", "PodMonitor").values()
    jobs = {m["spec"]["podMetricsEndpoints"][0]["relabelings"][0]["replacement"] for m in monitors}
    assert jobs == set(re.findall(r'job="(invoicing-\w+)"', shipped))


def test_an_alert_links_to_its_runbook_where_that_can_be_read() -> None:
    (rules,) = named("everything", "PrometheusRule").values()

    alerts = [rule for group in rules["spec"]["groups"] for rule in group["rules"]]
    for alert in alerts:
        url = alert["annotations"]["runbook_url"]
        base, _, page = url.rpartition("/")
        assert base == "https://git.example.org/invoicing/docs/runbooks"
        assert (REPOSITORY / "docs" / "runbooks" / page).is_file()


def test_the_api_is_reached_by_ingress_or_route_where_that_is_asked_for() -> None:
    (service,) = [d for name, d in named("everything", "Service").items() if name.endswith("-api")]
    (ingress,) = named("everything", "Ingress").values()
    (route,) = named("everything", "HTTPRoute").values()

    name = service["metadata"]["name"]
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert rule["host"] == "billing.example.org"
    assert path["backend"]["service"] == {"name": name, "port": {"name": "http"}}
    assert ingress["spec"]["tls"] == [{"hosts": [rule["host"]], "secretName": "billing-tls"}]
    (backend,) = route["spec"]["rules"][0]["backendRefs"]
    assert (backend["name"], backend["port"]) == (name, service["spec"]["ports"][0]["port"])
    assert not named("minimal", "Ingress") | named("minimal", "HTTPRoute")


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("settings.METRICS_PORT=9100", "METRICS_PORT"),
        ("settings.HTTP_PORT=8080", "HTTP_PORT"),
        ("settings.TOPIC_PARTITIONS=16", "TOPIC_PARTITIONS"),
        ("settings.CLIENTS_FILE=/clients.toml", "CLIENTS_FILE"),
        ("settings.LOG_LEVE=DEBUG", "LOG_LEVE"),
        ("settings.LOG_LEVEL=debug", "LOG_LEVEL"),
        ("settings.HTTP_CORS_ORIGINS=localhost:5173", "HTTP_CORS_ORIGINS"),
        ("api.ingress.enabled=true", "host"),
        ("api.httpRoute.enabled=true", "parentRefs"),
        ("monitoring.runbookBaseUrl=docs", "runbookBaseUrl"),
        ("kafka.bootstrapServers=", "bootstrapServers"),
        ("api.tokens.hasSigningKey=false", "tokens"),
        ("workers.replicas=3", "workers"),
        ("worker.autoscaling.maxReplicas=0", "maxReplicas"),
        ("settings.POSTGRES_DSN=postgresql://a:b@c/d", "POSTGRES_DSN"),
        ("image.digest=latest", "digest"),
    ],
)
def test_a_wrong_value_is_refused_and_named(value: str, complaint: str) -> None:
    option = "--set-string" if value.startswith("settings.") else "--set"
    output = refused(
        helm(), "template", "billing", CHART, "--kube-version", KUBERNETES[-1],
        "--values", VALUES["minimal"], option, value,
    )  # fmt: skip

    assert complaint in output
