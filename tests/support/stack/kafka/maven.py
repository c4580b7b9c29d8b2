"""Apache Kafka from Maven's repository, on this machine's Java."""

import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.support.stack.kafka.ready import wait_until_ready
from tests.support.stack.kafka.settings import KAFKA_VERSION, broker_settings
from tests.support.stack.ports import free_port

HERE = Path(__file__).parent
JARS = HERE.parents[3] / ".local" / f"kafka-{KAFKA_VERSION}"
CLUSTER_ID = "invoicing-tests-cluste"  # 22 characters: Kafka reads 16 bytes in base 64
JAVA_VERSION_MIN = 17
STOP_TIMEOUT_SECONDS = 20
FETCH_TIMEOUT_SECONDS = 300


class MavenKafka:
    kind = f"Apache Kafka {KAFKA_VERSION} by Maven"
    real = True
    can_restart = True

    @staticmethod
    def refusal() -> str | None:
        return _java_refusal() or _jars_refusal()

    def __init__(self) -> None:
        port = free_port()
        self.bootstrap = f"127.0.0.1:{port}"
        self._directory = Path(tempfile.mkdtemp(prefix="invoicing-kafka-"))
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._format(broker_settings("127.0.0.1", port, free_port(), f"{self._directory}/data"))
            self.start()
        except BaseException as error:
            if self._log.exists():
                error.add_note(self._log.read_text())
            self.close()
            raise

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOP_TIMEOUT_SECONDS)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def freeze(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_java("-Xms256m", "-Xmx512m"), "kafka.Kafka", self._properties],
                stdout=log,
                stderr=log,
                # Ctrl-C is for the tests; they end the broker when they have finished with it.
                start_new_session=True,
            )
        wait_until_ready(self.bootstrap)

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._directory)

    @property
    def _log(self) -> Path:
        return self._directory / "log"

    @property
    def _properties(self) -> Path:
        return self._directory / "server.properties"

    def _format(self, settings: dict[str, str]) -> None:
        self._properties.write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
        subprocess.run(
            [
                # Over in a second: what is compiled to run fast later never pays.
                *_java("-XX:TieredStopAtLevel=1"),
                "kafka.tools.StorageTool",
                *("format", "--cluster-id", CLUSTER_ID, "--config", self._properties),
            ],
            check=True,
            capture_output=True,
        )


def _java(*options: str) -> list[str]:
    return ["java", *options, "-XX:+UseSerialGC", "-cp", f"{JARS}/*"]


def _java_refusal() -> str | None:
    if shutil.which("java") is None:
        return "Java is not installed"
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < JAVA_VERSION_MIN:
        return f"Java {JAVA_VERSION_MIN} or later is needed"
    return None


def _jars_refusal() -> str | None:
    if JARS.exists():
        return None
    if shutil.which("mvn") is None:
        return "Maven is not installed"
    JARS.parent.mkdir(exist_ok=True)
    # Fetched beside and then renamed, so that a run which is interrupted leaves no half set.
    with tempfile.TemporaryDirectory(dir=JARS.parent) as directory:
        fetched = Path(directory) / "jars"
        if not _fetch(fetched):
            return "Maven cannot fetch Kafka"
        fetched.rename(JARS)
    return None


def _fetch(directory: Path) -> bool:
    try:
        subprocess.run(
            [
                *("mvn", "--quiet", "--batch-mode", "--file", HERE / "pom.xml"),
                f"-Dkafka.version={KAFKA_VERSION}",
                "dependency:copy-dependencies",
                f"-DoutputDirectory={directory}",
            ],
            check=True,
            capture_output=True,
            timeout=FETCH_TIMEOUT_SECONDS,
        )
    except subprocess.SubprocessError:
        return False
    return True
