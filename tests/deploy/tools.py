"""Programs that are no Python packages: on this machine, or fetched once into `.local`."""

import fcntl
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import pytest

REPOSITORY = Path(__file__).parents[2]
LOCAL = REPOSITORY / ".local"

# Known to `go install`, which checks what it fetches against Go's public sums.
HELM = "helm.sh/helm/v3/cmd/helm@v3.22.0"


def promtool() -> Path:
    """Prometheus's checker, from Debian's package where it is not installed."""
    return _installed("promtool") or _unpacked("prometheus", "usr/bin/promtool")


def helm() -> Path:
    """Helm, built from its sources where it is not installed."""
    return _installed("helm") or _built("helm", HELM)


def hledger() -> Path:
    """A bookkeeping program that reads the journal; Debian's package is installed in CI."""
    return _installed("hledger") or lacking("hledger")


def soffice() -> Path:
    """LibreOffice; Debian's `libreoffice-calc-nogui` is installed in CI."""
    return _installed("soffice") or lacking("LibreOffice")


def prepare_helm() -> None:
    """Begin to build it beside other tests; `helm` then waits for it, and tells of a failure."""
    threading.Thread(target=_quietly, args=[helm], daemon=True).start()


def _quietly(work: Callable[[], object]) -> None:
    with suppress(BaseException):
        work()


def run(program: Path, *arguments: str | Path) -> str:
    """What it printed. Fails the test where it exits with anything but 0."""
    process = _ended(program, *arguments)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def refused(program: Path, *arguments: str | Path) -> str:
    """What it complained of. Fails the test where it exits with 0."""
    process = _ended(program, *arguments)
    assert process.returncode != 0, process.stdout
    return process.stderr


def _ended(program: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )


def _installed(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found) if found else None


def _unpacked(package: str, path: str) -> Path:
    """A file of a Debian package, which need not be installed for that."""
    directory = LOCAL / package
    with _alone_in(directory):
        if not (directory / path).exists():
            if shutil.which("apt-get") is None:
                lacking(f"{Path(path).name}, and there is no apt-get to fetch it with")
            _fetch(["apt-get", "download", package], directory)
            for archive in directory.glob("*.deb"):
                _fetch(["dpkg", "-x", archive.name, "."], directory)
                archive.unlink()
    return directory / path


def _built(name: str, package: str) -> Path:
    """A Go program, built once and kept. From nothing, Helm takes two processors some minutes."""
    directory = LOCAL / package.replace("/", "_")
    with _alone_in(directory):
        if not (directory / name).exists():
            if shutil.which("go") is None:
                lacking(f"{name}, and there is no Go to build it with")
            environment = os.environ | {"GOBIN": str(directory), "GOFLAGS": "-trimpath"}
            _fetch(["nice", "-n", "19", "go", "install", package], directory, environment)
    return directory / name


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Whoever else wants the same, in this process or another, waits and finds it there."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(
    command: list[str], directory: Path, environment: Mapping[str, str] = os.environ
) -> None:
    process = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    if process.returncode != 0:
        lacking(f"what `{' '.join(command)}` should bring: {process.stderr.strip()}")


def lacking(what: str) -> NoReturn:
    """End the test: in CI as failed, elsewhere as skipped, with what this machine lacks."""
    message = f"this machine lacks {what}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
