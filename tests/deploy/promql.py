"""Which metrics a PromQL expression asks for, and which there are."""

import re
from collections.abc import Iterator

from prometheus_client import REGISTRY, Metric

from invoicing.api.http import metrics as of_api
from invoicing.runtime import metrics as of_runtime
from invoicing.worker import metrics as of_worker

assert of_api
assert of_runtime
assert of_worker  # all are in the registry by being imported

# What Prometheus itself writes about whom it asks.
BUILT_IN = {"up"}
KEYWORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}
NO_METRICS = re.compile(
    r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]'
    r"|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"
)
NAME = re.compile(r"(?<![\w.$])[a-zA-Z_:][\w:]*(?!\w*\s*\()")


def metrics_asked_for(expression: str) -> set[str]:
    """The names of the series that an expression reads."""
    return set(NAME.findall(NO_METRICS.sub(" ", expression))) - KEYWORDS


def metrics_there_are() -> set[str]:
    """The names of all series that our processes can show."""
    return BUILT_IN | {name for metric in REGISTRY.collect() for name in _series(metric)}


def _series(metric: Metric) -> Iterator[str]:
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
    yield from (metric.name + suffix for suffix in suffixes.get(metric.type, [""]))
