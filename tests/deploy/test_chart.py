"""The Helm chart: what it renders is valid, closed, and fits the service's own settings."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from invoicing.runtime.settings import PREFIX, SECRETS, Settings
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
}
KUBERNETES = ("1.30", "1.34")
# Of others, whose schemas Kubernetes does not have.
CUSTOM = {"ScaledObject", "TriggerAuthentication", "PodMonitor", "PrometheusRule"}

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
    deploy = REPOSITORY / "deploy"

    shipped = (deploy / "prometheus" / "rules" / "invoicing.yaml").read_text()
    assert rules["spec"] == yaml.safe_load(shipped)
    shown = (deploy / "grafana" / "dashboards" / "invoicing.json").read_text()
    assert dashboard["data"]["invoicing.json"].strip() == shown.strip()
    monitors = named("production", "PodMonitor").values()
    jobs = {m["spec"]["podMetricsEndpoints"][0]["relabelings"][0]["replacement"] for m in monitors}
    assert jobs == set(re.findall(r'job="(invoicing-\w+)"', shipped))


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("kafka.bootstrapServers=", "bootstrapServers"),
        ("api.tokens.hasSigningKey=false", "tokens"),
        ("workers.replicas=3", "workers"),
        ("worker.autoscaling.maxReplicas=0", "maxReplicas"),
        ("settings.POSTGRES_DSN=postgresql://a:b@c/d", "POSTGRES_DSN"),
        ("image.digest=latest", "digest"),
    ],
)
def test_a_wrong_value_is_refused_and_named(value: str, complaint: str) -> None:
    output = refused(
        helm(), "template", "billing", CHART, "--kube-version", KUBERNETES[-1],
        "--values", VALUES["minimal"], "--set", value,
    )  # fmt: skip

    assert complaint in output
