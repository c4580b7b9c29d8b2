"""Formats of the addresses that settings hold. An error says what is wanted and quotes nothing."""

import re
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit

PORT_MAX: Final = 65_535
LOCALHOST: Final = "localhost"
SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

_SERVER: Final = re.compile(
    r"(?:\[(?P<ipv6>[^\[\]]*)\]|(?P<host>[^\[\]:;/\s]+))(?::(?P<port>[0-9]{1,5}))?"
)
_POSTGRES_HOST: Final = re.compile(r"(?:\[[^\[\]]+\]|[^\[\]:/]*)(?::(?P<port>[^:]*))?")

_ENCODE: Final = "Special characters in user and password must be percent-encoded"
_NOT_ENCODED: Final = f"cannot be read. {_ENCODE}"
_ORIGINS: Final = "must be origins with scheme and without a path: https://app.example.com"


def check_topic(name: str) -> str:
    """Kafka's rule for a topic's name. Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", name) or name in {".", ".."}:
        raise ValueError("must be a topic's name: 1 to 249 of A-Z a-z 0-9 . _ -")
    return name


def check_servers(text: str) -> str:
    """Addresses of brokers as aiokafka reads them: the port is optional. Raises ValueError."""
    if not all(_is_server(server.strip()) for server in text.split(",")):
        raise ValueError("must be host:port, or several of them with commas between")
    return text


def _is_server(text: str) -> bool:
    match = _SERVER.fullmatch(text)
    if match is None:
        return _is_ipv6(text)
    if match["ipv6"] is not None and not _is_ipv6(match["ipv6"]):
        return False
    return match["port"] is None or 1 <= int(match["port"]) <= PORT_MAX


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def check_postgres_dsn(text: str) -> str:
    """A Postgres URI as asyncpg reads it. Raises ValueError.

    asyncpg takes a `/`, `#`, `?` or `@` in a password that is not percent-encoded for the end of
    the password, and quotes the rest of it in its error.
    """
    parts = _split(text)
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ValueError("must be postgresql://user:password@host:port/database")
    user, separator, hosts = parts.netloc.rpartition("@")
    beyond = parts.path + parts.query + parts.fragment
    if "@" in user or parts.fragment or (not separator and "@" in beyond):
        raise ValueError(_NOT_ENCODED)
    for host in hosts.split(","):
        match = _POSTGRES_HOST.fullmatch(host)
        if match is None:
            raise ValueError(_NOT_ENCODED)
        if match["port"] and not _is_port(match["port"]):
            raise ValueError(f"has a port that is not a number from 1 to {PORT_MAX}. {_ENCODE}")
    _check_postgres_options(parts.query)
    return text


def _check_postgres_options(query: str) -> None:
    if not query:
        return
    try:
        options = parse_qs(query, strict_parsing=True)
    except ValueError:
        raise ValueError("has options that are not name=value, joined by &") from None
    if not set(options.get("sslmode", ())) <= set(SSL_MODES):
        raise ValueError(f"has an sslmode that does not exist: it must be {', '.join(SSL_MODES)}")
    for name in ("sslrootcert", "sslcert", "sslkey", "sslcrl"):
        if not all(Path(path).is_file() for path in options.get(name, ())):
            raise ValueError(f"names a file that cannot be read, as {name}")
    for port in ",".join(options.get("port", ())).split(","):
        if port and not _is_port(port):
            raise ValueError(f"has a port that is not a number from 1 to {PORT_MAX}")


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= PORT_MAX


def check_url(text: str) -> str:
    """An address of HTTP. Raises ValueError."""
    parts = _split(text)
    try:
        is_url = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is not a number up to 65535
        is_url = False
    if not is_url or re.search(r"\s", text):
        raise ValueError("must be a URL: http://host:port/path, or https://")
    return text


def check_origins(text: str) -> str:
    """Origins as browsers send them (RFC 6454, section 6.2). Raises ValueError."""
    for origin in filter(None, (one.strip() for one in text.split(","))):
        try:
            parts = _split(check_url(origin))
        except ValueError:
            raise ValueError(_ORIGINS) from None
        if parts.path or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError(_ORIGINS)
    return text


def is_loopback(host: str) -> bool:
    """Whether the host is this machine, by name or by address."""
    try:
        return host == LOCALHOST or ip_address(host).is_loopback
    except ValueError:
        return False


def are_on_this_machine(servers: str, dsn: str) -> bool:
    """Whether all these brokers, and Postgres by this URI, are reached without a network."""
    brokers = [urlsplit(f"//{server.strip()}").hostname or "" for server in servers.split(",")]
    parts = urlsplit(dsn)
    hosts = [
        urlsplit(f"//{host}").hostname or "" for host in parts.netloc.rpartition("@")[2].split(",")
    ]
    # A URI without a host may name a directory of sockets; without either, PGHOST decides.
    sockets = parse_qs(parts.query).get("host", ())
    is_postgres_here = all(host.startswith("/") or is_loopback(host) for host in sockets or hosts)
    return is_postgres_here and all(map(is_loopback, brokers))


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:  # brackets without an IPv6 address between them
        raise ValueError(_NOT_ENCODED) from None
