"""What a newcomer meets: the README, the first verdict on a folder of one's own, and a server that is not there."""

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.data import leaves
from benchmarks.figure import Figure
from benchmarks.jargon import kinds
from benchmarks.raw_server import unreachable

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
A_LABEL = 60
"""Images for each label in the folder of a newcomer."""
_PATIENCE = 600.0
_TABLE = '[vlm.nobody]\nmodel = "a-model"\nbase_url = "{url}"\n'


def readme() -> Iterator[Figure]:
    """Lines of the README, and kinds of jargon in its first 400 words."""
    text = README.read_text(encoding="utf-8")
    yield Figure(name="readme.lines", value=len(text.splitlines()), target="<= 130")
    found = kinds([" ".join(re.sub(r"\]\([^)]*\)", "]", text).split()[:400])])
    yield Figure(name="readme.jargon", value=len(found), target="<= 5", note=", ".join(sorted(found)))


def first_verdict() -> Iterator[Figure]:
    """Commands and seconds from a plain folder of real images to the first verdict, as the README has them.

    A second verdict follows from the same panel; ``jargon`` counts the kinds on its screen.
    """
    commands = _commands_to("diagnose")
    with tempfile.TemporaryDirectory() as folder:
        home = _plain_folder(Path(folder))
        began = time.perf_counter()
        shown = [_run(command, home).stdout for command in commands if command.startswith("doubleread ")]
        seconds = time.perf_counter() - began
    yield Figure(name="first_verdict.commands", value=len(commands), target="<= 4", note="; ".join(commands))
    note = f"{4 * A_LABEL} images of 4 labels; processes start cold and nothing is cached"
    yield Figure(name="first_verdict.seconds", value=seconds, target="<= 180", note=note)
    found = kinds([shown[-1]])
    yield Figure(name="first_verdict.jargon", value=len(found), target="<= 5", note=", ".join(sorted(found)))


def first_faults() -> Iterator[Figure]:
    """Seconds until ``fit`` says that a server is not there, or that a table of the settings seats no agent."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as closed, unreachable() as dropped:
        home = _plain_folder(Path(folder), 5)
        closed.bind(("127.0.0.1", 0))
        refused = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        servers = {"refused": refused, "unreachable": dropped, "unknown_host": "http://no-such-host.invalid/v1"}
        seated = '[panel]\nagents = ["discriminant", "nobody"]\n'
        for name, url in servers.items():
            seconds = _until_said("nobody", seated + _TABLE.format(url=url), home)
            yield Figure(name=f"first_faults.server_{name}", value=seconds, target="<= 5", note="seconds")
        unseated = '[panel]\nagents = ["discriminant"]\n'
        seconds = _until_said("nobody", unseated + _TABLE.format(url=refused), home)
        yield Figure(name="first_faults.unseated_table", value=seconds, target="<= 5", note="seconds")


def _commands_to(verb: str) -> list[str]:
    """Returns the commands of the README's section on one's own images, up to the first with this verb."""
    section = README.read_text(encoding="utf-8").partition("## Your own images")[2]
    block = re.search(r"```bash\n(.*?)```", section, flags=re.DOTALL)
    if block is None:
        raise RuntimeError("the README has no commands for one's own images")
    lines = [line.partition("#")[0].strip() for line in block[1].splitlines()]
    last = next(i for i, line in enumerate(lines) if line.startswith(f"doubleread {verb}"))
    return lines[: last + 1]


def _plain_folder(home: Path, each: int = A_LABEL) -> Path:
    """Copies leaves into ``photos/`` with a sub-folder for each label, and one more to ``new.jpg``."""
    cases = [case for case in leaves().cases if case.path is not None]
    for label in sorted({str(case.label) for case in cases}):
        pictures = [case.path for case in cases if case.label == label and case.path is not None]
        (home / "photos" / label).mkdir(parents=True)
        for picture in pictures[:each]:
            shutil.copy(picture, home / "photos" / label)
        shutil.copy(pictures[-1], home / "new.jpg")
    return home


def _command(words: str) -> list[str]:
    return [sys.executable, "-m", *words.split()]


def _run(command: str, home: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(  # noqa: S603 - a command of the README
        _command(command), cwd=home, env=_env(home), capture_output=True, text=True, timeout=_PATIENCE, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command}: exit code {done.returncode}: {done.stderr[-500:]}")
    return done


def _env(home: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "HF_HUB_OFFLINE": "1"}


def _until_said(word: str, settings: str, home: Path) -> float:
    """Returns the seconds until ``fit`` prints a line with this word; stops it then."""
    (home / "settings.toml").write_text(settings, encoding="utf-8")
    command = _command("doubleread fit photos --settings settings.toml -o panel")
    began = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=home, env=_env(home), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            for line in process.stdout or ():
                if word in line:
                    return time.perf_counter() - began
        finally:
            process.kill()
    raise RuntimeError(f"fit never mentioned {word!r}")
