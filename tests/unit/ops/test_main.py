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
    "aiokafka", "alembic", "argon2", "asyncpg", "fastapi", "faststream", "jwt", "opentelemetry",
    "orjson", "pydantic_settings", "sqlalchemy", "structlog", "uvicorn", "uvloop",
)  # fmt: skip
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
