"""``doubleread batch write | read`` and ``doubleread fine-tune``: files for services, nothing is sent."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from rich.markup import escape

from doubleread.agents.recorded.recorder import Recorder
from doubleread.agents.vlm.batch_api import BatchLine, read_results, request_lines, training_line, write_requests
from doubleread.agents.wire.prices import PriceTable
from doubleread.cli.screen import ERR, OUT, progress, warn
from doubleread.core.case import Case
from doubleread.core.durable import replacing
from doubleread.core.errors import DataError, ImageError
from doubleread.core.opinion import Abstention
from doubleread.evals.datasets import read_dataset
from doubleread.evals.datasets.task_file import with_task
from doubleread.panel.composition import library
from doubleread.panel.models import Models
from doubleread.rag.images.case_images import Images
from doubleread.settings import Settings


def write_batch(data: str, agent: str, out: Path, settings: Settings, task_file: Path | None) -> None:
    """A batch file of every image's first reading."""
    dataset = with_task(read_dataset(data), task_file)
    models = Models.open(settings, Images(), library(settings))

    async def reported(lines: AsyncIterator[BatchLine]) -> AsyncIterator[BatchLine]:
        with progress() as report:
            done = 0
            async for line in lines:
                done += 1
                report("writing requests", done, len(dataset.cases))
                if line.problem:
                    warn(f"skipped {line.case.source}: {line.problem}")
                else:
                    yield line

    try:
        files = asyncio.run(
            write_requests(reported(request_lines(models.reader(agent, dataset.task), dataset.cases)), out)
        )
    finally:
        models.close()
    for file in files:
        OUT.print(f"{escape(str(file))}  {file.stat().st_size / 1e6:.1f} MB", highlight=False, soft_wrap=True)


def read_batch(results: Path, data: str, agent: str, out: Path, settings: Settings, task_file: Path | None) -> None:
    """The answers in a batch's results, written down as a recording."""
    dataset = with_task(read_dataset(data), task_file)
    models = Models.open(settings, Images(), library(settings))
    cases, silent, count, unreadable = {case.id: case for case in dataset.cases}, 0, 0, 0
    answered: set[str] = set()

    def skip(number: int, why: str) -> None:
        nonlocal unreadable
        unreadable += 1
        warn(f"skipped {results}, line {number}: {why}")

    try:
        options = models.reader(agent, dataset.task).options
        price = options.price or PriceTable(settings.prices).of(options.model)
        with Recorder(out) as record:
            for case, answer in read_results(models.reader(agent, dataset.task), results, cases, price, skip):
                record(case, answer)
                count += 1
                answered.add(case.id)
                if isinstance(answer, Abstention):
                    silent += 1
                    ERR.print(f"{case.source}: {answer.cause}: {answer.detail}", markup=False, highlight=False)
    finally:
        models.close()
    missing = f"{len(cases) - len(answered)} images without a result"
    skipped = f", {unreadable} lines that cannot be read" if unreadable else ""
    OUT.print(f"{count} answers, {silent} abstentions, {missing}{skipped}", highlight=False)
    OUT.print(f"recording: {escape(str(out))}", highlight=False, soft_wrap=True)


def write_fine_tuning(data: str, agent: str, out: Path, settings: Settings, task_file: Path | None) -> None:
    """Training examples of the cases that are neither for calibration nor for testing."""
    dataset = with_task(read_dataset(data), task_file)
    cases = [case for case in dataset.cases if case.label is not None and case.split in (None, "support", "train")]
    if not cases:
        raise DataError(f"{data} holds no labelled image outside its calibration and test splits")
    models = Models.open(settings, Images(), library(settings))

    async def line(case: Case) -> str:
        try:
            return await training_line(case, reader.options, models.context(dataset.task))
        except ImageError as error:
            warn(f"skipped {case.source}: {error}")
            return ""

    async def write() -> int:
        written = 0
        with progress() as report, replacing(out) as part, part.open("w", encoding="utf-8") as file:
            for i, case in enumerate(cases, start=1):
                text = await line(case)
                file.write(text)
                written += bool(text)
                report("writing examples", i, len(cases))
        return written

    try:
        reader = models.reader(agent, dataset.task)
        written = asyncio.run(write())
    finally:
        models.close()
    OUT.print(f'{written} examples; ask the tuned model with confidence = "logprobs"', highlight=False, markup=False)
    OUT.print(escape(str(out)), highlight=False, soft_wrap=True)
