"""The files that are generated from the models: write them, or list those out of date."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from invoicing.api.app import ROUTES
from invoicing.api.docs.examples import RESPONSES
from invoicing.api.docs.openapi import describe
from invoicing.tools import settings_page
from invoicing.tools.schemas import http_examples, lifecycle_page
from invoicing.tools.schemas.asyncapi import asyncapi
from invoicing.tools.schemas.messages import messages
from invoicing.tools.schemas.story import run_story

LIFECYCLE_PAGE = Path("docs/lifecycle.md")
_SCHEMAS = Path("schemas")
_EXAMPLES = Path("services/invoicing/api/docs/examples.json")
_OURS = ("commands/*.json", "events/*.json", "answers/*.json")


def write(root: Path) -> None:
    """Write the generated files below `root` and delete stale ones."""
    wanted = _wanted(root)
    for path in _written_before(root) - wanted.keys():
        (root / path).unlink()
    for path, text in wanted.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def out_of_date(root: Path) -> list[Path]:
    """The files under `root` that differ from the models, sorted."""
    wanted = _wanted(root)
    stale = {path for path, text in wanted.items() if _read(root / path) != text}
    return sorted(stale | (_written_before(root) - wanted.keys()))


def _wanted(root: Path) -> Mapping[Path, str]:
    described = list(messages(run_story()))
    made = http_examples.made()
    files = {_SCHEMAS / message.path: _as_json(message.schema) for message in described}
    return files | {
        _SCHEMAS / "asyncapi.yaml": _as_yaml(asyncapi(described)),
        _SCHEMAS / "openapi.yaml": _as_yaml(describe(ROUTES, {**RESPONSES, **made})),
        _EXAMPLES: _as_json(made),
        settings_page.PAGE: settings_page.settings_page(root),
        LIFECYCLE_PAGE: lifecycle_page.renewed(_read(root / LIFECYCLE_PAGE)),
    }


def _written_before(root: Path) -> set[Path]:
    schemas = root / _SCHEMAS
    return {path.relative_to(root) for pattern in _OURS for path in schemas.glob(pattern)}


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _as_json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _as_yaml(document: Mapping[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100)


class _Plain(yaml.SafeDumper):
    """YAML without anchors: repeated values are written out."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Always."""
        return True
