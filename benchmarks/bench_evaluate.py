"""What a batch costs beside its agents: processor time a case, waiting, the encoder's speed, and memory."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import mkdtemp

import numpy as np
from PIL import Image

from benchmarks.bench_panel import judged_panel
from benchmarks.data import leaves
from benchmarks.figure import Figure
from benchmarks.harness import seconds
from benchmarks.memory_use import resident
from doubleread.core.agent_ports import WHOLE, Agent
from doubleread.core.case import Case
from doubleread.core.evidence import Evidence, Neighbour
from doubleread.core.opinion import Answer
from doubleread.core.task import Task
from doubleread.core.types import Matrix
from doubleread.core.verdict import Verdict
from doubleread.evals.datasets import LabelledCases
from doubleread.evals.runs.evaluate import RunChoice, evaluate
from doubleread.evals.runs.run_engine import CaseResult, NumberedCase
from doubleread.evals.runs.run_folder import RunFolder, read_rows
from doubleread.evals.runs.run_record import RunRecord
from doubleread.evals.runs.runner import run
from doubleread.mock_server import running
from doubleread.mock_server.dry_run import DryRun, thumbnail
from doubleread.orchestrator.course.follow import follow
from doubleread.orchestrator.course.graph import diagnose
from doubleread.orchestrator.course.seats import Seats
from doubleread.panel import Panel
from doubleread.panel.panel_folder import read_panel
from doubleread.rag.images.case_images import Images
from doubleread.settings import Settings, load_settings

CASES, PAIRS = 200, 3
IN_FLIGHT, LATENCY_S, WAITING, RUNS = 64, 1.0, 768, 5
CROPS = 5
"""Views that a second look adds."""
EARLY, MANY = 2000, 20_000


def batch_overhead() -> Iterator[Figure]:
    """Processor time of a case beside its agents, which repeat what real ones said of leaves."""
    judged = judged_panel(leaves)
    verdicts = judged.verdicts[:CASES]
    seats = _repeating(judged.folder, verdicts)
    looks = sum(v.second_look is not None for v in verdicts)
    for name, how in (("batch", follow), ("graph", diagnose)):
        each = partial(_each, partial(how, seats=seats), [v.case for v in verdicts])
        asyncio.run(each())
        began = time.process_time()
        asyncio.run(each())
        yield Figure(
            name=f"evaluate.overhead_cpu_ms.{name}",
            value=(time.process_time() - began) / len(verdicts) * 1e3,
            n=len(verdicts),
            target="<= 3" if name == "batch" else "",
            note=f"5 agents, {looks} second looks; assessing and the verdict included",
        )


def batch_waiting() -> Iterator[Figure]:
    """A run whose agent takes a second to answer, 64 cases in flight, against the time that waiting alone takes."""
    folder = Path(mkdtemp(prefix="doubleread-bench-"))
    fitted_on, later = _photos(folder / "fit", 40, seed=0), _photos(folder / "later", WAITING, seed=1)
    images = Images()
    says = DryRun(fitted_on.cases, [thumbnail(images.open(case)) for case in fitted_on.cases], accuracy=0.9)
    with running(otherwise=says) as mock:
        task = Task.of("invented", sorted({str(case.label) for case in fitted_on.cases}))
        with Panel.fit(fitted_on.cases, task, settings=_asking(mock.base_url, folder)) as panel:
            panel.save(folder / "panel")
    ideal, taken = WAITING / IN_FLIGHT * LATENCY_S, list[float]()
    for i in range(RUNS):
        with (
            running(otherwise=says, latency_s=LATENCY_S) as mock,
            Panel.load(folder / "panel", settings=_asking(mock.base_url, folder)) as panel,
        ):
            panel._eyes.embed_all(later.cases)  # noqa: SLF001 - waiting is measured, not encoding
            taken.append(seconds(partial(evaluate, panel, later, RunChoice(folder / f"run-{i}"))))
    shares = [ideal / one for one in taken]
    note = f"median, minimum, maximum of {RUNS}; {median(taken):.1f} s, ideal {ideal:.0f} s; images were encoded before"
    yield Figure.over("evaluate.waiting_share", shares, ">= 0.85", note, by=median, n=WAITING)


def batch_memory() -> Iterator[Figure]:
    """How much memory grows from the first 2,000 to 20,000 cases of a run, with verdicts of real size."""
    judged = judged_panel(leaves)
    some = judged.verdicts[0]
    cases = [NumberedCase(i, Case(id=f"{i:064x}", source=f"{i}.jpg", label=some.case.label)) for i in range(MANY)]
    marks: dict[int, float] = {}

    def mark(done: int) -> None:
        if done in (EARLY, MANY):
            marks[done] = resident()

    with RunFolder.begin(Path(mkdtemp(prefix="doubleread-bench-")) / "run", _record(judged.folder)) as folder:
        asyncio.run(run(_Repeating(some), cases, folder, lambda tally: mark(tally.done), threading.Event()))
        grown = marks[MANY] - marks[EARLY]
        yield Figure(name="evaluate.memory_growth_mb", value=grown, n=MANY, target="<= 20", note="while it runs")
        before, read = resident(), sum(1 for _ in read_rows(folder.folder))
        yield Figure(name="evaluate.memory_reading_mb", value=resident() - before, n=read, target="<= 20")


class _Repeating:
    """An engine that says the same of every case."""

    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict

    async def answers(self, cases: Iterable[NumberedCase]) -> AsyncGenerator[CaseResult, None]:
        for one in cases:
            yield CaseResult(one, self._verdict.model_copy(update={"case": one.case}))


class _Again:
    """An agent that says again what it said, in both rounds."""

    def __init__(self, name: str, said: Mapping[tuple[str, int], Answer]) -> None:
        self.name, self._said = name, said

    async def read(self, case: Case) -> Answer:
        return self._said[case.id, 1]

    async def reconsider(self, case: Case, evidence: Evidence) -> Answer:
        del evidence
        return self._said.get((case.id, 2)) or self._said[case.id, 1]


class _Found:
    """A retriever that finds again what it found."""

    def __init__(self, evidence: Mapping[str, Evidence]) -> None:
        self._evidence = evidence

    async def find(self, case: Case, views: Sequence[str] = (WHOLE,)) -> Evidence:
        del views
        return self._evidence[case.id]

    async def contrast(self, case: Case, labels: Sequence[str], per_label: int) -> tuple[Neighbour, ...]:
        del labels, per_label
        return self._evidence[case.id].contrast

    async def distributions(self, case: Case, views: Sequence[str]) -> Matrix:
        return np.array([list(self._evidence[case.id].distribution.values())] * len(views))


def _repeating(folder: Path, verdicts: Sequence[Verdict]) -> Seats:
    arbiter = read_panel(folder, None).arbiter
    said: dict[str, dict[tuple[str, int], Answer]] = {name: {} for name in arbiter.agents}
    for verdict in verdicts:
        answers: list[Answer] = [*verdict.opinions, *verdict.abstentions]
        for answer in answers:
            said[answer.agent][verdict.case.id, answer.round] = answer
    agents: dict[str, Agent] = {name: _Again(name, table) for name, table in said.items()}
    evidence = {v.case.id: v.evidence for v in verdicts if v.evidence is not None}
    return Seats(agents=agents, retriever=_Found(evidence), arbiter=arbiter)


async def _each(how: Callable[[Case], Awaitable[Verdict]], cases: Sequence[Case]) -> None:
    for case in cases:
        await how(case)


def _asking(address: str, folder: Path) -> Settings:
    """One model and the neighbours, one look."""
    model = {"model": "mock-1", "base_url": address, "in_flight": IN_FLIGHT}
    return load_settings(
        None,
        {
            "encoder": {"name": "efficientnet-lite0", "cache_dir": str(folder / "cache")},
            "panel": {"agents": ("neighbours", "far")},
            "second_look": {"max_rounds": 1},
            "trust": {"folds": 2, "consistency_cases": 0},
            "run": {"in_flight": IN_FLIGHT},
            "vlm": {"far": model},
        },
    )


def _photos(folder: Path, n: int, *, seed: int) -> LabelledCases:
    """Invented pictures of two labels, told apart by their colour."""
    rng, cases = np.random.default_rng(seed), []
    folder.mkdir(parents=True)
    for i in range(n):
        pixels = rng.integers(60, 190, (64, 64, 3), dtype=np.uint8)
        pixels[:, :, i % 2] = np.minimum(pixels[:, :, i % 2].astype(int) + 60, 255)
        Image.fromarray(pixels).save(folder / f"{i}.png")
        cases.append(Case.from_file(folder / f"{i}.png", label=("amber", "blue")[i % 2]))
    return LabelledCases(name="invented", cases=tuple(cases))


def _record(panel: Path) -> RunRecord:
    return RunRecord(
        name="memory",
        cases=MANY,
        digest="",
        panel="",
        task=read_panel(panel, None).arbiter.task,
        trust=(),
        archive="",
        settings={},
        provenance={},
        seed=0,
        started=datetime.now(UTC),
    )
