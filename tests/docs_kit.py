"""README and documentation as a reader meets them: pages in order, their commands, and a person who runs them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer

ROOT = Path(__file__).parents[1]
SECONDS = 240
"""How long one command or one Python block may take."""
ASSIGNMENTS = re.compile(r"^(?:[A-Z_]+=\S* +)+")

NOT_RUN = {
    "make": "CI runs it",
    "pip": "changes the environment",
    "python3 -m venv": "changes the environment",
    "git clone": "needs the network",
    "ray start": "starts a cluster that stays",
}
"""First words of commands that are not run here, with the reason."""
SERVERS = {"doubleread serve": 8000, "doubleread mock-server": 8099, "chroma run": 8000}
"""First words of commands that run until they are stopped, with the port that they listen on unless they name one."""
STDIN = {"doubleread chat --waiting": "", "doubleread chat": "why?\n"}
"""What is typed into commands that read from the keyboard; others read an empty input."""
FINDS = {"doubleread cases check": 1, "doubleread compare": 1}
"""Commands that end with this exit code because of what they found in the data."""
EXAMPLE_IDS = {
    "3f9a0c": "doubleread cases list panel/store --json",
    "221655971eb090e4": "doubleread chat --list --json",
}
"""Ids that stand for the reader's own, with the command whose first id is taken."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str
    before: str
    """What the page says between the block before, or the heading, and this one."""

    def commands(self) -> Iterator[tuple[int, str]]:
        """Its commands with their line numbers; a command may go over several lines."""
        kept, began = "", 0
        for number, line in enumerate(self.text.splitlines(), start=self.line + 1):
            if not kept and (not line.strip() or line.lstrip().startswith("#")):
                continue
            kept, began = (f"{kept}\n{line}", began) if kept else (line, number)
            checked = subprocess.run(["bash", "-n", "-c", kept], capture_output=True, text=True, check=False)
            if not kept.endswith("\\") and not checked.returncode and not checked.stderr:
                yield began, kept
                kept = ""
        if kept:
            yield began, kept


def pages() -> list[str]:
    """README, the pages and notebooks in the order of the site's navigation, and then those that it does not list."""
    docs = ROOT / "docs"
    named = re.findall(r": (\S+)\.md$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), flags=re.MULTILINE)
    there = {file.relative_to(docs).with_suffix("").as_posix(): file for file in sorted(docs.rglob("*.*"))
             if file.suffix in (".md", ".ipynb")}  # fmt: skip
    ordered = dict.fromkeys([*(name for name in named if name in there), *there])
    return ["README.md", *(there[name].relative_to(ROOT).as_posix() for name in ordered if "reference/" not in name)]


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a page, or of a notebook's text."""
    text, found, end = _text(ROOT / page), [], 0
    for match in re.finditer(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", text, flags=re.MULTILINE | re.DOTALL):
        inner = re.sub(rf"^{match[1]}", "", match[3], flags=re.MULTILINE)
        before = re.split(r"^#+ .*$", text[end : match.start()], flags=re.MULTILINE)[-1]
        found.append(Block(page, text.count("\n", 0, match.start()) + 1, match[2], inner, before.strip()))
        end = match.end()
    return found


def _text(file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".ipynb":
        return text
    return "\n\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")


def known(command: str, table: dict[str, object]) -> str | None:
    """The key of ``table`` that the command begins with, behind assignments."""
    plain = ASSIGNMENTS.sub("", command)
    return next((words for words in table if re.match(rf"{re.escape(words)}(?!\S)", plain)), None)


@dataclass
class Reader:
    """Someone who follows the pages in one folder, in one terminal and one Python session for each page."""

    folder: Path
    env: dict[str, str]
    done: set[str] = field(default_factory=set)
    _servers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    _python: subprocess.Popen[str] | None = None

    def follow(self, page: str) -> list[str]:
        """Runs everything on a page in order, goes on after failures, and returns them."""
        self.done.add(page)
        self._state.unlink(missing_ok=True)
        try:
            problems = [told for block in blocks(page) for told in self._block(block)]
        finally:
            self._leave()
        return problems

    def _block(self, block: Block) -> Iterator[str]:
        if block.language == "python" and (problem := self._snippet(block.text)):
            yield f"{block.page}:{block.line}: Python\n{problem}"
        if block.language == "bash":
            for line, command in block.commands():
                if known(command, NOT_RUN) is None and (problem := self._command(command)):
                    yield f"{block.page}:{line}: {command}\n{problem}"

    # -- the terminal -------------------------------------------------------------------------------------------

    def _command(self, command: str) -> str:
        for example, find in EXAMPLE_IDS.items():
            if example in command:
                command = command.replace(example, self._own_id(find) or example)
        if server := known(command, SERVERS):
            return self._serve(command, SERVERS[server])
        typed = STDIN.get(known(command, STDIN) or "", "")
        return self._bash(command, typed, (0, FINDS.get(known(command, FINDS) or "", 0)))

    def _bash(self, command: str, typed: str, fine: tuple[int, ...]) -> str:
        keep = f'{{ export -p; printf "cd %q\\n" "$PWD"; }} > "{self._state}"'
        with subprocess.Popen(
            ["bash", "-c", f"{self._begin}\n{command}\n{keep}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd=self.folder, env=self.env, text=True, start_new_session=True,
        ) as run:  # fmt: skip
            timer = Timer(SECONDS, os.killpg, (run.pid, signal.SIGKILL))
            timer.start()
            told = run.communicate(typed)[0]
            timer.cancel()
        return "" if run.returncode in fine else f"exit {run.returncode}\n{_tail(told)}"

    def _serve(self, command: str, usual: int) -> str:
        named = re.search(r"--port[ =](\d+)", command)
        port, log = int(named[1]) if named else usual, self.env["TMPDIR"] + "/server.txt"
        self._stop(port)
        if _listens(port):
            return f"port {port} is in use by another program"
        with Path(log).open("wb") as out:
            server = subprocess.Popen(
                ["bash", "-c", f"{self._begin}\n{ASSIGNMENTS.sub(lambda m: f'export {m[0]}; ', command)}"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                cwd=self.folder, env=self.env, start_new_session=True,
            )  # fmt: skip
        self._servers[port] = server
        until = time.monotonic() + SECONDS
        while server.poll() is None and time.monotonic() < until:
            if _listens(port):
                return ""
            time.sleep(0.1)
        return f"nothing listens on port {port}\n{_tail(Path(log).read_text(encoding='utf-8'))}"

    def _stop(self, port: int) -> None:
        if server := self._servers.pop(port, None):
            _end(server)

    def _own_id(self, find: str) -> str:
        found = subprocess.run(
            ["bash", "-c", find], cwd=self.folder, env=self.env, capture_output=True, text=True, check=False
        )
        match = re.search(r'"id": ?"([0-9a-f]{16,})"', found.stdout)
        return match[1] if match else ""

    @property
    def _state(self) -> Path:
        """What a command leaves to the next one: variables and the working folder."""
        return Path(self.env["TMPDIR"]) / "terminal.sh"

    @property
    def _begin(self) -> str:
        return f'[ ! -e "{self._state}" ] || . "{self._state}"\nset -euo pipefail'

    # -- the Python session -------------------------------------------------------------------------------------

    def _snippet(self, text: str) -> str:
        if self._python is None:
            self._python = subprocess.Popen(
                [sys.executable, "-c", _SESSION],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                cwd=self.folder, env=self.env, text=True, start_new_session=True,
            )  # fmt: skip
        timer = Timer(SECONDS, self._python.kill)
        timer.start()
        print(json.dumps(text), file=self._python.stdin, flush=True)
        answer = self._python.stdout.readline()
        timer.cancel()
        return _tail(json.loads(answer)) if answer else "Python ended, or took too long"

    def _leave(self) -> None:
        for port in tuple(self._servers):
            self._stop(port)
        if self._python is not None:
            _end(self._python)
            self._python = None


_SESSION = """
import json, os, sys, traceback
replies = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
names = {"__name__": "__main__"}
for line in sys.stdin:
    before, problem = set(names), ""
    try:
        exec(compile(json.loads(line), "<snippet>", "exec"), names)
        for name in sorted(set(names) - before):
            if name.startswith("test_"):
                names[name]()
    except BaseException:
        problem = traceback.format_exc()
    print(json.dumps(problem), file=replies, flush=True)
"""


def _listens(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0


def _end(process: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> None:
    """Ends a process and those that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-12:])
