"""The alert rules, as tests read them."""

from typing import Any, Final

import yaml

from tests.deploy.tools import REPOSITORY

RULE_FILES: Final = sorted((REPOSITORY / "deploy" / "helm" / "invoicing" / "rules").glob("*.yaml"))
ALERTS: Final[list[dict[str, Any]]] = [
    rule
    for path in RULE_FILES
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]
