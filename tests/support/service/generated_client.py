"""A client in Python that a generator of other people's makes from schemas/openapi.yaml."""

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "schemas" / "openapi.yaml"
PINS = ROOT / "constraints" / "client-generator.txt"
PACKAGE = "invoicing_client"
INSTALL_SECONDS_MAX = 120
GENERATE_SECONDS_MAX = 60

# Formatting what nobody reads takes longer than writing it.
CONFIGURATION = "post_hooks: []\n"


def generate_client(directory: Path) -> None:
    """Write the client into a package below the directory. Whatever it cannot express fails."""
    configuration = directory / "generator.yaml"
    configuration.write_text(CONFIGURATION)
    _run(
        _generator(), "generate", "--path", DOCUMENT, "--output-path", directory / PACKAGE,
        "--config", configuration, "--meta", "none", "--fail-on-warning",
        seconds=GENERATE_SECONDS_MAX,
    )  # fmt: skip


def _generator() -> Path:
    """The generator in an environment of its own, made anew when its pins change."""
    pins = hashlib.sha256(PINS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    environment = ROOT / ".local" / f"client-generator-{pins}"
    ready = environment / "ready"
    if not ready.exists():
        _run(sys.executable, "-m", "venv", "--clear", environment, seconds=INSTALL_SECONDS_MAX)
        _run(
            environment / "bin" / "python", "-m", "pip", "install", "--quiet",
            "--require-hashes", "--requirement", PINS,
            seconds=INSTALL_SECONDS_MAX,
        )  # fmt: skip
        ready.touch()
    return environment / "bin" / "openapi-python-client"


def _run(*command: str | Path, seconds: float) -> None:
    run = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
