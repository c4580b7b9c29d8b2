"""Clients and models that third-party generators make from schemas/."""

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "schemas" / "openapi.yaml"
PACKAGE = "invoicing_client"
INSTALL_SECONDS_MAX = 120
GENERATE_SECONDS_MAX = 60

# Formatting the code would take longer than generating it.
CONFIGURATION = "post_hooks: []\n"


def generate_client(directory: Path) -> None:
    """Write the client into a package below the directory. Whatever it cannot express fails."""
    configuration = directory / "generator.yaml"
    configuration.write_text(CONFIGURATION)
    _run(
        _tool("client-generator", "openapi-python-client"), "generate", "--path", DOCUMENT,
        "--output-path", directory / PACKAGE, "--config", configuration, "--meta", "none",
        "--fail-on-warning",
        seconds=GENERATE_SECONDS_MAX,
    )  # fmt: skip


def generate_models(schemas: Path, output: Path) -> None:
    """Write pydantic models of all JSON Schemas below a folder into a package."""
    _run(
        _tool("model-generator", "datamodel-codegen"), "--input", schemas, "--output", output,
        "--input-file-type", "jsonschema", "--output-model-type", "pydantic_v2.BaseModel",
        seconds=GENERATE_SECONDS_MAX,
    )  # fmt: skip


def _tool(pins_name: str, command: str) -> Path:
    """A generator in an environment of its own, recreated when its pins change."""
    pins_file = ROOT / "constraints" / f"{pins_name}.txt"
    pins = hashlib.sha256(pins_file.read_bytes() + sys.version.encode()).hexdigest()[:12]
    environment = ROOT / ".local" / f"{pins_name}-{pins}"
    ready = environment / "ready"
    if not ready.exists():
        _run(sys.executable, "-m", "venv", "--clear", environment, seconds=INSTALL_SECONDS_MAX)
        _run(
            environment / "bin" / "python", "-m", "pip", "install", "--quiet",
            "--require-hashes", "--requirement", pins_file,
            seconds=INSTALL_SECONDS_MAX,
        )  # fmt: skip
        ready.touch()
    return environment / "bin" / command


def _run(*command: str | Path, seconds: float) -> None:
    run = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
