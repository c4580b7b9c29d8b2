"""docs/settings.md, generated from the models of the settings and of the files they name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from invoicing.api.auth.clients import RegisteredClient
from invoicing.contracts.invoice import Address, TaxIdentifier
from invoicing.domain.sellers import NumberFormat, Seller
from invoicing.runtime.settings import PREFIX, SECRETS, Settings

PAGE: Final = Path("docs/settings.md")
EXAMPLES: Final = Path("docs/examples")

_SECTIONS: Final = {
    "Kafka": ("kafka_",),
    "Postgres": ("postgres_",),
    "Topics and the consumer group": ("topic_", "consumer_", "group_", "session_"),
    "Work": ("batch_", "retry_", "clock_", "sellers_"),
    "HTTP API": ("http_", "token_", "clients_"),
    "Metrics, traces and logs": ("metrics_", "traces_", "log_"),
}

_INTRODUCTION: Final = f"""\
# Settings

<!-- Generated from the models by `make schemas`. -->

Settings are environment variables that begin with `{PREFIX}`. `invoicing settings` prints those in
force.

A secret may be given as a file instead, `{PREFIX}POSTGRES_DSN_FILE=/run/secrets/dsn`:
{", ".join(f"`{name}`" for name in SECRETS)}. Set the variable or the file, not both.

A wrong setting stops the start with a sentence that names it. So does a variable with the prefix
that is not a setting, and an empty one (except `{PREFIX}HTTP_CORS_ORIGINS`).
"""


def settings_page(root: Path) -> str:
    """The whole page. The examples are read from the files under `root`."""
    return "\n".join(
        [
            _INTRODUCTION,
            *_settings(),
            "## The file of sellers\n",
            f"`{PREFIX}SELLERS_FILE` has a table `[sellers.ID]` for each seller; commands name the"
            " seller by this id. Changes take effect when the workers and the API restart. Issued"
            " invoices keep what they were issued with.\n",
            _example(root, "sellers.toml"),
            _table("Field of `[sellers.ID]`", Seller, without="id"),
            _table("Field of `invoice_numbers` and `credit_note_numbers`", NumberFormat),
            _table("Field of `address`", Address),
            _table("Field of `[[sellers.ID.tax_ids]]`", TaxIdentifier),
            "## The file of clients\n",
            f"`{PREFIX}CLIENTS_FILE` has a table `[clients.ID]` for each client that may get a"
            f" token at `/oauth/token`. The API issues tokens if `{PREFIX}TOKEN_SIGNING_KEY` is"
            " set.\n",
            _example(root, "clients.toml"),
            _table("Field of `[clients.ID]`", RegisteredClient).rstrip("\n"),
            "",
        ]
    )


def _settings() -> Iterator[str]:
    remaining = dict(Settings.model_fields)
    for title, prefixes in _SECTIONS.items():
        names = [name for name in remaining if name.startswith(prefixes)]
        rows = [
            f"| `{PREFIX}{name.upper()}` | {_default(remaining[name])} | {_text(remaining[name])} |"
            for name in names
        ]
        yield "\n".join(
            [f"## {title}\n", "| Variable | Default | |", "| --- | --- | --- |", *rows, ""]
        )
        for name in names:
            del remaining[name]
    assert not remaining, f"settings without a section: {', '.join(remaining)}"


def _example(root: Path, name: str) -> str:
    text = (root / EXAMPLES / name).read_text(encoding="utf-8")
    return f"[`{EXAMPLES.name}/{name}`]({EXAMPLES.name}/{name}):\n\n```toml\n{text}```\n"


def _table(title: str, model: type[BaseModel], without: str = "") -> str:
    rows = [
        f"| `{name}` | {_default(field)} | {_text(field)} |"
        for name, field in model.model_fields.items()
        if name != without
    ]
    return "\n".join([f"| {title} | Default | |", "| --- | --- | --- |", *rows, ""])


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return ", ".join(f"`{name} = {_toml(part)}`" for name, part in value if part is not None)
    if value is None or value == "" or value == ():
        return ""
    if isinstance(value, frozenset):
        return f"`{', '.join(sorted(value))}`"
    return f"`{_toml(value) if isinstance(value, bool) else getattr(value, 'value', value)}`"


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


def _text(field: FieldInfo) -> str:
    assert field.description, "every setting and every field of a file needs a description"
    choices = ""
    if get_origin(field.annotation) is Literal:
        choices = f"One of {', '.join(f'`{choice}`' for choice in get_args(field.annotation))}."
    return " ".join(filter(None, [field.description, choices, _bounds(field)]))


def _bounds(field: FieldInfo) -> str:
    if SecretStr in get_args(field.annotation):
        return ""
    bounds = {type(one): one for one in field.metadata if isinstance(one, Ge | Gt | Le)}
    least, above, most = bounds.get(Ge), bounds.get(Gt), bounds.get(Le)
    texts = [
        f"at least {least.ge}" if isinstance(least, Ge) else "",
        f"more than {above.gt}" if isinstance(above, Gt) else "",
        f"at most {most.le}" if isinstance(most, Le) else "",
    ]
    text = ", ".join(filter(None, texts))
    return f"{text[:1].upper()}{text[1:]}." if text else ""
