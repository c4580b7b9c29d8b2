"""The command line's frame: help, version, completion, and how failures end it."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import invoicing as invoicing_package
from invoicing.ops import main as ops_main
from invoicing.ops.main import COMMANDS, TOOL_COMMANDS, app, load

# Each of these costs more than all that help needs.
HEAVY = (
    "aiokafka", "alembic", "argon2", "asyncpg", "cryptography", "fastapi", "faststream", "jwt",
    "opentelemetry", "orjson", "pydantic_settings", "sqlalchemy", "starlette", "structlog",
    "uvicorn", "uvloop",
)  # fmt: skip
SETTINGS = {"orjson", "pydantic_settings"}
# A failure of either server is described by one function, which knows both clients.
CLIENTS = SETTINGS | {"aiokafka", "asyncpg"}
SERVICE = CLIENTS | {"opentelemetry", "starlette", "structlog", "uvicorn", "uvloop"}
NEEDED = {
    "settings": SETTINGS,
    "show inv_1": CLIENTS,
    "history inv_1": CLIENTS,
    "watch": CLIENTS,
    "send -": CLIENTS,
    "dead-letters list": CLIENTS,
    "topics": CLIENTS,
    "journal": CLIENTS | {"structlog"},
    "rebuild": CLIENTS | {"structlog"},
    "restate": CLIENTS | {"structlog"},
    "verify": CLIENTS | {"structlog"},
    "recover feed": CLIENTS | {"structlog"},
    "recover kafka": CLIENTS | {"structlog"},
    "recover postgres": CLIENTS | {"structlog"},
    "migrate": CLIENTS | {"alembic", "sqlalchemy", "structlog"},
    "token": SETTINGS | {"argon2", "cryptography", "jwt", "structlog"},
    "client-secret": SETTINGS | {"argon2"},
    "worker": SERVICE | {"faststream"},
    "api --workers 2": SERVICE,
    "api": SERVICE | {"argon2", "cryptography", "fastapi", "jwt"},
}
"""What each command may import before it needs a server. All of it is paid at each start."""
NOWHERE = {
    "INVOICING_KAFKA_BOOTSTRAP_SERVERS": "localhost:1",
    "INVOICING_POSTGRES_DSN": "postgresql://localhost:1/x",
    "INVOICING_RETRY_LIMIT_SECONDS": "0.1",
    "INVOICING_METRICS_PORT": "0",
    "INVOICING_HTTP_PORT": "0",
}
PRINT_IMPORTS = """
import sys
from invoicing.ops.main import main
sys.argv[0] = "invoicing"
try:
    main()
except SystemExit as end:
    print(*(name for name in sys.modules if "." not in name), file=sys.stderr)
    sys.exit(end.code)
"""

PRINT_BUILT_MODELS = """
import invoicing.api.app, invoicing.worker.app
from invoicing.api.http.bodies import Body
from invoicing.api.http.query import Query
from invoicing.contracts.model import ContractModel

def print_built(base):
    for model in base.__subclasses__():
        if model.__pydantic_complete__:
            print(model.__qualname__)
        print_built(model)

for base in (Body, ContractModel, Query):
    print_built(base)
"""

IMPORT_ALL = """
import importlib, pkgutil
import invoicing
print(invoicing.__path__[0])
for module in pkgutil.walk_packages(invoicing.__path__, "invoicing."):
    if ".migrations." not in module.name:
        importlib.import_module(module.name)
        print(module.name)
"""

RUNNER = CliRunner()


def paths() -> list[list[str]]:
    """Every command, by the words that invoke it."""
    found: list[list[str]] = [[]]
    for name, entry in (COMMANDS | TOOL_COMMANDS).items():
        found.append([name])
        found += [[name, sub] for sub in getattr(load(name, entry), "commands", ())]
    return found


def invoicing(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "invoicing.ops.main", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("path", paths(), ids=" ".join)
def test_help_imports_nothing_that_makes_it_slow(path: list[str]) -> None:
    run = subprocess.run(
        [sys.executable, "-c", PRINT_IMPORTS, *path, "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert " ".join(["Usage: invoicing", *path]) in run.stdout
    assert sorted(set(HEAVY) & set(run.stderr.split())) == []


@pytest.mark.parametrize("words", NEEDED)
def test_a_command_imports_only_what_it_works_with(words: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", PRINT_IMPORTS, *words.split()],
        env={**os.environ, **NOWHERE},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    imported = set(run.stderr.split()) & set(HEAVY)
    assert sorted(imported - NEEDED[words]) == []


def test_it_is_known_of_each_command_what_it_imports() -> None:
    assert {words.split()[0] for words in NEEDED} == set(COMMANDS)


def test_no_models_validator_is_built_before_it_is_used() -> None:
    """There are hundreds of models, and most processes use few of them."""
    run = subprocess.run(
        [sys.executable, "-c", PRINT_BUILT_MODELS],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert sorted(run.stdout.split()) == []


@pytest.mark.parametrize("name", [*COMMANDS, *TOOL_COMMANDS])
def test_the_list_of_commands_says_of_each_what_its_own_help_says_first(name: str) -> None:
    entry = (COMMANDS | TOOL_COMMANDS)[name]

    command: Any = load(name, entry)

    first, _, _ = command.help.partition(".")
    assert entry.help == f"{first}.", name


def test_every_command_is_listed_by_name() -> None:
    listed = RUNNER.invoke(app, ["--help"]).stdout

    assert [name for name in (*COMMANDS, *TOOL_COMMANDS) if f" {name} " not in listed] == []


def test_without_its_tools_the_service_has_neither_demo_nor_bench(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("invoicing.ops.main.find_spec", lambda _: None)

    listed = RUNNER.invoke(app, ["--help"]).stdout
    tried = RUNNER.invoke(app, ["demo"])

    assert " worker " in listed
    assert [name for name in TOOL_COMMANDS if f" {name} " in listed] == []
    assert tried.exit_code == 2


def test_the_package_works_without_its_tools(tmp_path: Path) -> None:
    """As in the image, which leaves them out."""
    source = Path(invoicing_package.__path__[0])
    copied = shutil.copytree(source, tmp_path / "invoicing", ignore=shutil.ignore_patterns("tools"))

    run = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    path, *imported = run.stdout.split()
    assert Path(path) == copied
    assert "invoicing.ops.commands.worker" in imported
    assert not any("tools" in name for name in imported)


def test_the_version_is_the_packages() -> None:
    assert invoicing("--version").stdout == f"invoicing {version('invoicing')}\n"


@pytest.mark.parametrize(
    ("words", "completed"),
    [("invoicing dead", ["dead-letters"]), ("invoicing dead-letters re", ["redrive"])],
)
def test_a_shell_completes_commands(words: str, completed: list[str]) -> None:
    run = invoicing(
        _INVOICING_COMPLETE="complete_bash",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split()) - 1),
    )

    assert run.stdout.split() == completed


def test_a_shell_completes_options() -> None:
    words = "invoicing dead-letters redrive --d"

    run = invoicing(_INVOICING_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD="3")

    assert run.stdout.split() == ["--dry-run"]


def test_a_word_that_is_no_command_is_refused_under_the_programs_name() -> None:
    run = invoicing("shwo")

    assert run.returncode == 2
    assert "Usage: invoicing" in run.stderr
    assert "show" in run.stderr


def test_a_known_failure_is_one_sentence_without_a_traceback() -> None:
    run = invoicing("show", "inv_1", INVOICING_POSTGRES_DSN="postgresql://localhost:1/x")

    assert run.returncode == 1
    assert run.stderr.startswith("invoicing: Postgres cannot be reached")
    assert run.stderr.count("\n") == 1


def test_a_bug_is_located_without_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(**_: object) -> None:
        token = "Kanarienvogel"
        raise LookupError(token)

    monkeypatch.setattr(ops_main, "app", crash)

    with pytest.raises(SystemExit) as end:
        ops_main.main()

    assert "LookupError raised at" in str(end.value)
    assert "in crash" in str(end.value)
    assert "Kanarienvogel" not in str(end.value)
