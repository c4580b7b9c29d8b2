"""Kafka and Postgres as production has them: TLS, logins, and rights that are asked for."""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from testcontainers.core.container import DockerContainer

from invoicing.runtime.settings import Settings, read_settings
from tests.deploy.certificates import Authority
from tests.deploy.compose import ROOT
from tests.support.stack.docker import docker_host, docker_refusal, started
from tests.support.stack.kafka.docker import CONTROLLER_PORT, IMAGE, as_variables
from tests.support.stack.kafka.ready import wait_until_ready
from tests.support.stack.kafka.settings import broker_settings
from tests.support.stack.ports import free_port
from tests.support.stack.postgres.docker import IMAGE as POSTGRES_IMAGE
from tests.support.stack.postgres.docker import PORT as POSTGRES_PORT
from tests.support.stack.wait import eventually

START_SECONDS_MAX = 120
RUN_SECONDS_MAX = 180
SECONDS_MAX = 60
PRINCIPALS = ("worker", "api", "producer", "consumer", "operator", "recovery")
LOGINS = ("postgres", "migrator", "worker", "api")
PARTITIONS = 2
# The image's scripts for it differ; the class behind them is the same.
KAFKA_ACLS = (
    "java -Xmx128m -XX:TieredStopAtLevel=1 -cp /opt/kafka/libs/* org.apache.kafka.tools.AclCommand"
)


def secured_refusal() -> str | None:
    """Why this machine cannot run the secured stack; None where it can."""
    return docker_refusal(IMAGE) or docker_refusal(POSTGRES_IMAGE)


class SecuredKafka:
    """SASL_SSL with SCRAM and ACLs for clients; `admin`, a plain listener, is for who set it up."""

    def __init__(self, authority: Authority, passwords: dict[str, str]) -> None:
        host, port, admin_port = docker_host(), free_port(), free_port()
        self.bootstrap = f"{host}:{port}"
        self.admin = f"{host}:{admin_port}"
        certificate = authority.vouch_for(host)
        self._container = (
            DockerContainer(IMAGE)
            .with_bind_ports(port, port)
            .with_bind_ports(admin_port, admin_port)
            .with_volume_mapping(str(certificate), "/certificates/server.pem", "ro")
            .with_volume_mapping(str(ROOT / "deploy/kafka/acls.sh"), "/acls.sh", "ro")
            .with_envs(
                KAFKA_HEAP_OPTS="-Xms256m -Xmx512m",
                **as_variables(_settings(host, port, admin_port)),
            )
        )
        with started(self._container):
            wait_until_ready(self.admin)
            self._allow(admin_port)
            _add_users(self.admin, passwords)

    def close(self) -> None:
        self._container.stop()

    @property
    def log(self) -> str:
        out, error = self._container.get_logs()
        return (out + error).decode(errors="replace")

    async def lose(self, topic: str) -> None:
        """Delete a topic, which no principal of ours may."""
        client = AdminClient({"bootstrap.servers": self.admin})
        client.delete_topics([topic])[topic].result(START_SECONDS_MAX)
        await eventually(
            lambda: topic not in client.list_topics(timeout=10).topics, seconds=START_SECONDS_MAX
        )

    def _allow(self, admin_port: int) -> None:
        """By the script that operators run."""
        code, output = self._container.get_wrapped_container().exec_run(
            ["bash", "/acls.sh"],
            environment={"BOOTSTRAP": f"localhost:{admin_port}", "KAFKA_ACLS": KAFKA_ACLS},
        )
        assert code == 0, output.decode()


def _settings(host: str, port: int, admin_port: int) -> dict[str, str]:
    plain = broker_settings(host, admin_port, CONTROLLER_PORT, "/tmp/kafka-logs")
    return plain | {
        "listeners": f"{plain['listeners']},CLIENTS://:{port}",
        "advertised.listeners": f"{plain['advertised.listeners']},CLIENTS://{host}:{port}",
        "listener.security.protocol.map": (
            f"{plain['listener.security.protocol.map']},CLIENTS:SASL_SSL"
        ),
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.name.clients.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.clients.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": "/certificates/server.pem",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # Who comes by the plain listeners: the broker itself, and who sets it up.
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "false",
    }


def _add_users(admin: str, passwords: dict[str, str]) -> None:
    client = AdminClient({"bootstrap.servers": admin})
    mechanism = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    added = client.alter_user_scram_credentials(
        [
            UserScramCredentialUpsertion(name, mechanism, password.encode())
            for name, password in passwords.items()
        ]
    )
    for future in added.values():
        future.result(START_SECONDS_MAX)


class SecuredPostgres:
    """TLS, and the logins of deploy/postgres/logins.sql."""

    def __init__(self, authority: Authority, passwords: dict[str, str]) -> None:
        self.host, self.port = docker_host(), free_port()
        self._authority = authority
        self._passwords = passwords
        # Postgres takes a key that nobody else may read, and its account's number is the image's.
        own_key = (
            "install -o postgres -m 600 /certificates/server.pem /tmp/server.pem"
            " && exec docker-entrypoint.sh postgres -c fsync=off -c ssl=on"
            " -c ssl_cert_file=/tmp/server.pem -c ssl_key_file=/tmp/server.pem"
        )
        logins = ROOT / "deploy/postgres/logins.sql"
        self._container = (
            DockerContainer(POSTGRES_IMAGE, entrypoint=["bash", "-c"])
            .with_command([own_key])
            .with_bind_ports(POSTGRES_PORT, self.port)
            .with_volume_mapping(
                str(authority.vouch_for(self.host)), "/certificates/server.pem", "ro"
            )
            .with_volume_mapping(str(logins), "/docker-entrypoint-initdb.d/logins.sql", "ro")
            .with_envs(
                POSTGRES_PASSWORD=passwords["postgres"],
                POSTGRES_DB="invoicing",
                **{
                    f"INVOICING_{login.upper()}_PASSWORD": passwords[login]
                    for login in ("migrator", "worker", "api")
                },
            )
        )
        with started(self._container):
            asyncio.run(eventually(self._answers, seconds=START_SECONDS_MAX))

    def dsn(self, login: str, *, host: str = "", authority: Authority | None = None) -> str:
        """Where it is, for one of its logins; certificate and host name are checked."""
        user = login if login == "postgres" else f"invoicing_{login}"
        place = f"{host or self.host}:{self.port}/invoicing"
        trusted = (authority or self._authority).path
        return (
            f"postgresql://{user}:{self._passwords[login]}@{place}"
            f"?sslmode=verify-full&sslrootcert={trusted}"
        )

    def close(self) -> None:
        self._container.stop()

    @property
    def log(self) -> str:
        out, error = self._container.get_logs()
        return (out + error).decode(errors="replace")

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.dsn("postgres"))
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True


@dataclass(frozen=True)
class Party:
    """Who connects: a principal of Kafka and a login of Postgres, their secrets in files."""

    principal: str
    password: str
    bootstrap: str
    dsn: str
    authority: Path
    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a process."""
        settings = {
            **{name.upper(): str(value) for name, value in self._plain_settings.items()},
            "KAFKA_SASL_PASSWORD_FILE": self._file("password", self.password),
            "POSTGRES_DSN_FILE": self._file("dsn", self.dsn),
            "METRICS_HOST": "127.0.0.1",
        }
        return {f"INVOICING_{name}": value for name, value in settings.items()}

    def settings(self, **changes: Any) -> Settings:
        """The same for a client in the test itself."""
        whole = {
            **self._plain_settings,
            "kafka_sasl_password": self.password,
            "postgres_dsn": self.dsn,
        }
        return read_settings({}, **(whole | changes))

    def run(self, *arguments: str) -> str:
        """What a command of the command line prints for it."""
        run = self._ended(*arguments)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def refused(self, *arguments: str) -> str:
        """What a command complains of that it has no right for."""
        run = self._ended(*arguments)
        assert run.returncode == 1, run.stdout + run.stderr
        return run.stderr

    def _ended(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "invoicing.ops.main", *arguments],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS_MAX,
            check=False,
        )

    @property
    def _plain_settings(self) -> dict[str, Any]:
        return {
            "kafka_bootstrap_servers": self.bootstrap,
            "kafka_security_protocol": "SASL_SSL",
            "kafka_sasl_username": self.principal,
            "kafka_ssl_ca_path": self.authority,
            "topic_partitions": PARTITIONS,
            "topic_replication_factor": 1,
        }

    def _file(self, name: str, secret: str) -> str:
        path = self.directory / f"{self.principal}.{name}"
        path.write_text(f"{secret}\n")
        return str(path)


@dataclass(frozen=True)
class Secured:
    """A Kafka and a Postgres that let in only those who are known, for what they may do."""

    kafka: SecuredKafka
    postgres: SecuredPostgres
    authority: Authority
    passwords: dict[str, str]
    directory: Path

    def party(self, name: str, login: str = "api") -> Party:
        """One of PRINCIPALS, and one of LOGINS to go with it."""
        principal = f"invoicing-{name}"
        return Party(
            principal,
            self.passwords[principal],
            self.kafka.bootstrap,
            self.postgres.dsn(login),
            self.authority.path,
            self.directory,
        )


@contextmanager
def secured_stack(directory: Path) -> Iterator[Secured]:
    """Both of them while the block runs, without topics and tables yet."""
    authority = Authority(directory, "authority")
    names = [f"invoicing-{name}" for name in PRINCIPALS]
    passwords = {name: f"secret-{secrets.token_hex(12)}" for name in [*names, *LOGINS]}
    with ThreadPoolExecutor() as threads, ExitStack() as stack:
        starting = [
            threads.submit(SecuredKafka, authority, {name: passwords[name] for name in names}),
            threads.submit(SecuredPostgres, authority, passwords),
        ]
        for future in starting:
            if future.exception() is None:
                stack.callback(future.result().close)
        kafka, postgres = (future.result() for future in starting)
        yield Secured(kafka, postgres, authority, passwords, directory)
