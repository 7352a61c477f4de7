"""Whether shared panels can do harm, and whether anything acknowledged is lost.

Damage and tampering, kills while a panel is written, and full disks; each in processes of its own.
"""

import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np

from benchmarks.bench_panel import judged_panel
from benchmarks.data import leaves
from benchmarks.figure import Figure
from benchmarks.memory_use import forget_peak, peak
from benchmarks.mutations import ARCHIVE, mutate
from doubleread.core.case import Case
from doubleread.core.errors import DoublereadError
from doubleread.core.verdict import Unread, Verdict
from doubleread.mock_server import running
from doubleread.panel import Panel
from doubleread.panel.outcomes import read_outcomes
from doubleread.panel.panel_folder import read_panel
from doubleread.panel.panel_manifest import MANIFEST, seal
from doubleread.panel.saving import STORE
from doubleread.panel.trust_folder import MARK
from doubleread.panel.trust_pointer import FITTED, POINTER, Pointer

MUTATIONS, SEED = 300, 16
SHOWN = 4
"""Unseen pictures that each mutated panel is shown."""
PATIENCE_S = 60.0
KILLS = 50
DISKS, CONFIRMED = 100, 250
SMALLEST = 34_000
"""Bytes that the files beside an archive need, without which nothing can be begun."""
ARCHIVED = 10
"""Full disks that are met with the archive, too: that loads the encoder."""
LIMIT_MB = 300.0
COMPARED = ("posterior", "prediction_set", "decision", "track", "evidence", "warnings", "opinions", "trust_version")


def shared_panels() -> Iterator[Figure]:
    """300 seeded mutations of a panel and its archive: each is an error of our own, or changes nothing."""
    judged = judged_panel(leaves)
    cases = [verdict.case for verdict in judged.verdicts[:: len(judged.verdicts) // SHOWN][:SHOWN]]
    with TemporaryDirectory(prefix="doubleread-bench-") as work:
        found, grown = _mutated(judged.folder, cases, Path(work))
    counts = Counter(kind for kind, _ in found)
    told = [f"{kind}: {what}" for kind, what in found if kind not in ("refused", "unchanged")]
    note = f"{counts['refused']} refused, {counts['unchanged']} changed nothing" + "".join(f"; {t}" for t in told[:9])
    yield Figure(name="shared_panels.silent_changes", value=counts["silent"], n=len(found), target="== 0", note=note)
    yield Figure(name="shared_panels.tracebacks", value=counts["traceback"], n=len(found), target="== 0")
    yield Figure(name="shared_panels.hangs", value=counts["hang"], n=len(found), target="== 0")
    yield Figure(name="shared_panels.grown_mb", value=grown, n=len(found), target=f"<= {LIMIT_MB:g}")


def _mutated(panel: Path, cases: Sequence[Case], work: Path) -> tuple[list[tuple[str, str]], float]:
    """What became of each mutation, and by how many megabytes the reading process grew at most."""
    found, grown, pool = list[tuple[str, str]](), 0.0, _pool()
    usual, _ = pool.submit(_read, panel, cases).result()
    base = _read_again(pool, panel, cases)
    for i in range(MUTATIONS):
        copy = Path(shutil.copytree(panel, work / f"panel-{i}"))
        what = mutate(copy, np.random.default_rng([SEED, i]))
        try:
            said, most = pool.submit(_read, copy, cases).result(PATIENCE_S)
            grown = max(grown, most - base)
            kind = "unchanged" if said == usual else said if isinstance(said, str) else "silent"
            found.append((kind.partition(" ")[0], f"{what} ({kind})"))
        except (TimeoutError, BrokenProcessPool):
            found.append(("hang", what))
            _stop(pool)
            pool = _pool()
            _read_again(pool, panel, cases)
        shutil.rmtree(copy, ignore_errors=True)
    pool.shutdown()
    return found, grown


def _read_again(pool: ProcessPoolExecutor, panel: Path, cases: Sequence[Case]) -> float:
    """Megabytes that reading takes as a rule, once everything is loaded."""
    return pool.submit(_read, panel, cases).result()[1]


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def _stop(pool: ProcessPoolExecutor) -> None:
    for process in list(pool._processes.values()):  # noqa: SLF001 - there is no other way to end one that hangs
        process.kill()
    pool.shutdown(cancel_futures=True)


def _read(folder: Path, cases: Sequence[Case]) -> tuple[Any, float]:
    """What the panel says of the cases, or ``refused …`` or ``traceback …``, and the peak of memory."""
    forget_peak()
    try:
        with Panel.load(folder) as panel:
            found = list(panel.diagnose_many(cases))
        unread = [one.problem for one in found if isinstance(one, Unread)]
        said: Any = f"refused {unread[0]}" if unread else [_shown(one) for one in found]
    except DoublereadError as error:
        said = f"refused {error}"
    except BaseException as error:  # noqa: BLE001 - what it is that escapes is the figure
        said = f"traceback {type(error).__name__}: {error}"
    return said, peak()


def _shown(one: Verdict | Unread) -> Any:
    """What matters in a verdict: neither times nor costs."""
    data = one.model_dump(mode="json", include=set(COMPARED))
    for opinion in data["opinions"]:
        opinion.pop("seconds")
    return data


def hostile_panel() -> Iterator[Figure]:
    """Requests at the addresses that a panel's folder names, before this machine allowed them."""
    judged = judged_panel(leaves)
    image = judged.verdicts[0].case
    with TemporaryDirectory(prefix="doubleread-bench-") as work, running() as server:
        folder = Path(shutil.copytree(judged.folder, Path(work) / "panel"))
        head = json.loads((folder / MARK).read_text(encoding="utf-8"))
        head["id"] = uuid4().hex
        head["settings"]["panel"]["agents"].append("asked")
        head["settings"]["vlm"] = {"asked": {"model": "m", "base_url": server.base_url, "key_variable": "HOME"}}
        (folder / MARK).write_text(json.dumps(head), encoding="utf-8")
        (folder / MANIFEST).unlink()
        Pointer.to(FITTED, {FITTED: seal(folder, frozenset({STORE, POINTER}))}).write(folder)
        said, _ = _read(folder, [image])
        yield Figure(
            name="hostile_panel.requests", value=len(server.server.requests), n=1, target="== 0", note=str(said)[:60]
        )


def killed_fits() -> Iterator[Figure]:
    """Fits that replace a panel, killed while they write: a panel is there at every instant, and nothing is left."""
    panel = judged_panel(leaves).folder
    rng = np.random.default_rng(SEED)
    with TemporaryDirectory(prefix="doubleread-bench-") as work:
        home = Path(work)
        target = Path(shutil.copytree(panel, home / "p"))
        whole = _write_seconds(panel, target)
        lost = sum(_killed(panel, target, float(rng.uniform(0, 1.2 * whole))) for _ in range(KILLS))
        _write(panel, target).wait()
        left = sorted(one.name for one in home.iterdir() if one != target)
    yield Figure(name="killed_fits.panels_lost", value=lost, n=KILLS, target="== 0")
    note = "after the next fit" + "".join(f"; {name}" for name in left[:4])
    yield Figure(name="killed_fits.leftovers", value=len(left), n=KILLS, target="== 0", note=note)


_WRITER = """
import shutil, sys
from pathlib import Path
from doubleread.core.drafts import drafted
print("ready", flush=True)
with drafted(Path(sys.argv[2])) as draft:
    shutil.copytree(sys.argv[1], draft, dirs_exist_ok=True)
print("done", flush=True)
"""


def _write(source: Path, target: Path) -> "subprocess.Popen[str]":
    """A process that writes a panel the way ``fit`` does."""
    writer = subprocess.Popen(  # noqa: S603 - a program of our own
        [sys.executable, "-P", "-c", _WRITER, str(source), str(target)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    writer.stdout.readline()
    return writer


def _write_seconds(source: Path, target: Path) -> float:
    writer = _write(source, target)
    began = time.perf_counter()
    writer.wait()
    return time.perf_counter() - began


def _killed(source: Path, target: Path, after: float) -> bool:
    """Whether a kill after so many seconds left no panel that can be read under its name."""
    writer = _write(source, target)
    time.sleep(after)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    try:
        read_panel(target, None)
    except DoublereadError:
        return True
    return False


def full_disks() -> Iterator[Figure]:
    """Outcomes confirmed while the disk fills up: those that were acknowledged are in the file afterwards."""
    judged = judged_panel(leaves)
    verdicts = [v for v in judged.verdicts if v.label is not None][:CONFIRMED]
    rng = np.random.default_rng(SEED)
    with TemporaryDirectory(prefix="doubleread-bench-") as work:
        said, labels = Path(work) / "verdicts.jsonl", Path(work) / "labels.csv"
        said.write_text("".join(v.model_dump_json() + "\n" for v in verdicts), encoding="utf-8")
        truth = "".join(f"{v.case.id},{v.case.label}\n" for v in verdicts)
        labels.write_text(f"case,label\n{truth}", encoding="utf-8")
        size, stored = _with_room(judged.folder, said, labels)
        verdicts = [v for v in verdicts if v.case.id in stored]  # a near copy of the panel's own is refused
        said.write_text("".join(v.model_dump_json() + "\n" for v in verdicts), encoding="utf-8")
        trials = [_confirmed(judged.folder, said, labels, rng, size if i >= ARCHIVED else None) for i in range(DISKS)]
    lost = sum(max(0, one.said - one.stored) for one in trials)
    note = f"{sum(not one.complete for one in trials)} trials met the full disk"
    yield Figure(name="full_disks.acknowledged_lost", value=lost, n=DISKS, target="== 0", note=note)
    quiet = sum(not one.complete and not one.told for one in trials)
    yield Figure(name="full_disks.not_told", value=quiet, n=DISKS, target="== 0", note="exit code 0 or a traceback")
    undone = sum(one.again != len(verdicts) for one in trials)
    yield Figure(
        name="full_disks.not_completed", value=undone, n=DISKS, target="== 0", note="by the same command later"
    )


class _Trial(NamedTuple):
    said: int
    """Outcomes that the command said it confirmed."""
    stored: int
    """Outcomes in the file after it."""
    complete: bool
    """It said that all went well."""
    told: bool
    """It ended with an error of our own."""
    again: int
    """Outcomes in the file once the same command had room."""


def _with_room(panel: Path, verdicts: Path, labels: Path) -> tuple[int, set[str]]:
    """How large the file of outcomes is where there is room, and which cases are in it."""
    copy = Path(shutil.copytree(panel, verdicts.parent / "panel"))
    subprocess.run(_command(copy, verdicts, labels, archive=False), capture_output=True, check=False)  # noqa: S603
    found = (copy / "outcomes.jsonl").stat().st_size, {one.case for one in read_outcomes(copy).standing}
    shutil.rmtree(copy)
    return found


def _command(panel: Path, verdicts: Path, labels: Path, *, archive: bool) -> list[str]:
    told = [sys.executable, "-P", "-m", "doubleread", "trust", "confirm", str(verdicts), "--labels", str(labels)]
    return [*told, "--panel", str(panel), "--archive" if archive else "--no-archive"]


def _confirmed(panel: Path, verdicts: Path, labels: Path, rng: np.random.Generator, size: int | None) -> _Trial:
    """One full disk: a limit on the size of files makes writes short, and then fail, as a full disk does.

    ``size`` is that of the outcomes; where it is None the cases go into the archive too, and that meets the limit.
    """
    copy = Path(shutil.copytree(panel, verdicts.parent / "panel"))
    room = int(rng.integers(0, (size or 120_000) - SMALLEST))
    limit = SMALLEST + room if size else (copy / ARCHIVE).stat().st_size + room // 4

    def fill() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = _command(copy, verdicts, labels, archive=size is None)
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=fill)  # noqa: S603
    said = sum(int(count) for count in re.findall(r"(\d+) (?:confirmed|corrected)", done.stdout))
    stored = len(read_outcomes(copy).standing)
    subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    again = len(read_outcomes(copy).standing)
    shutil.rmtree(copy)
    told = done.returncode != 0 and "Traceback" not in done.stderr
    return _Trial(said, stored, done.returncode == 0, told, again)
