"""``doubleread batch write | read`` and ``doubleread fine-tune``: files for services. Nothing is sent."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doubleread.cli.option_groups import DataColumns, grouped
from doubleread.cli.options import SettingsFile, TaskFile, settings_of
from doubleread.cli.screen import ERR, OUT, note, progress, say
from doubleread.core.durable import replacing
from doubleread.core.errors import ImageError
from doubleread.core.notices import warn_user

if TYPE_CHECKING:
    from doubleread.agents.vlm.batch_api import BatchLine
    from doubleread.core.case import Case
    from doubleread.panel.models import Models
    from doubleread.settings import Settings

batch_app = typer.Typer(no_args_is_help=True, help="Write requests for the Batch API, and read its results.")
app = typer.Typer()

AgentName = Annotated[str, typer.Option("--agent", help="Name of the [vlm.NAME] table.")]


@batch_app.command("write", epilog="Example: doubleread batch write photos/ --agent gpt --settings doubleread.toml")
@grouped
def write_batch(
    data: Annotated[str, typer.Argument(help="The images, as for `fit`.")],
    *,
    agent: AgentName,
    out: Annotated[Path, typer.Option("-o", "--out", help="File for the requests.")] = Path("requests.jsonl"),
    columns: DataColumns,
    task: TaskFile = None,
    settings: SettingsFile = None,
) -> None:
    """Write a request for each image. You upload the file yourself; nothing is sent."""
    import asyncio

    from doubleread.agents.vlm.batch_api import request_lines, write_requests

    chosen = settings_of(settings)
    dataset = columns.dataset(data, task)
    with _models(chosen) as models:
        lines = request_lines(models.reader(agent, dataset.task), dataset.cases)
        files = asyncio.run(write_requests(_reported(lines, len(dataset.cases)), out))
    for file in files:
        say(f"{file}  {file.stat().st_size / 1e6:.1f} MB")


async def _reported(lines: "AsyncIterator[BatchLine]", total: int) -> "AsyncIterator[BatchLine]":
    """Yields the lines that are requests and warns about the others."""
    with progress() as report:
        done = 0
        async for line in lines:
            done += 1
            report("writing requests", done, total)
            if line.problem:
                warn_user([f"skipped {line.case.source}: {line.problem}"])
            else:
                yield line


@batch_app.command("read", epilog="Example: doubleread batch read results.jsonl photos/ --agent gpt -o answers.jsonl")
@grouped
def read_batch(
    results: Annotated[Path, typer.Argument(help="The batch's output file.")],
    data: Annotated[str, typer.Argument(help="The images that the requests were written for.")],
    *,
    agent: AgentName,
    out: Annotated[Path, typer.Option("-o", "--out", help="Recording, .jsonl or .csv.")] = Path("answers.jsonl"),
    columns: DataColumns,
    task: TaskFile = None,
    settings: SettingsFile = None,
) -> None:
    """Turn the results of a batch into recorded answers for a [recorded.NAME] table."""
    from doubleread.agents.recorded.recorder import Recorder
    from doubleread.agents.vlm.batch_api import read_results
    from doubleread.agents.wire.prices import PriceTable
    from doubleread.core.opinion import Abstention

    chosen = settings_of(settings)
    dataset = columns.dataset(data, task)
    cases, unreadable = {case.id: case for case in dataset.cases}, list[int]()
    answered, count, silent = set[str](), 0, 0

    def skip(number: int, why: str) -> None:
        unreadable.append(number)
        warn_user([f"skipped {results}, line {number}: {why}"])

    with _models(chosen) as models:
        reader = models.reader(agent, dataset.task)
        price = PriceTable(chosen.prices).of(reader.options)
        with Recorder(out) as record:
            for case, answer in read_results(reader, results, cases, price, skip):
                record(case, answer)
                count += 1
                answered.add(case.id)
                if isinstance(answer, Abstention):
                    silent += 1
                    ERR.print(f"{case.source}: {answer.cause}: {answer.detail}", markup=False, highlight=False)
    missing = f"{len(cases) - len(answered)} images without a result"
    skipped = f", {len(unreadable)} lines that cannot be read" if unreadable else ""
    OUT.print(f"{count} answers, {silent} abstentions, {missing}{skipped}", highlight=False)
    say(f"recording: {out}")


@app.command("fine-tune", epilog="Example: doubleread fine-tune photos/ --agent gpt -o training.jsonl")
@grouped
def fine_tune(
    data: Annotated[str, typer.Argument(help="The labelled images, as for `fit`.")],
    *,
    agent: AgentName,
    out: Annotated[Path, typer.Option("-o", "--out", help="File for the examples.")] = Path("training.jsonl"),
    columns: DataColumns,
    task: TaskFile = None,
    settings: SettingsFile = None,
) -> None:
    """Write chat examples with images for vision fine-tuning. Calibration and test images are left out.

    If the data have no such splits, images are kept back for them, and a manifest says which: fit the panel on it.
    """
    import asyncio

    from doubleread.agents.vlm.batch_api import training_line
    from doubleread.evals.datasets.manifest_dataset import write_manifest
    from doubleread.evals.splits import FRACTIONS
    from doubleread.evals.splits import split as divide

    chosen = settings_of(settings)
    dataset = columns.dataset(data, task)
    dataset = given = dataset.with_cases(case for case in dataset.cases if case.label is not None)
    seed = chosen.trust.seed
    if any(case.split is not None for case in dataset.cases):
        dataset = dataset.with_splits(FRACTIONS["test"], seed=seed)
    divided = divide(dataset.cases, seed=seed)
    cases = [case for case in divided if case.split == "support"]

    async def line(case: "Case") -> str:
        try:
            return await training_line(case, reader.options, models.context(dataset.task))
        except ImageError as error:
            warn_user([f"skipped {case.source}: {error}"])
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

    with _models(chosen) as models:
        reader = models.reader(agent, dataset.task)
        written = asyncio.run(write())
    OUT.print(f'{written} examples; ask the tuned model with confidence = "logprobs"', highlight=False, markup=False)
    say(str(out))
    if divided != given.cases:
        sizes = Counter(case.split for case in divided)
        manifest = write_manifest(out.with_name(f"{out.stem}-splits.csv"), divided)
        kept = f"{sizes['calibration']} images are kept back for calibration and {sizes['test']} for the test"
        note(f"{kept}. Fit the panel on the same splits: doubleread fit {manifest}")


def _models(settings: "Settings") -> "closing[Models]":
    from doubleread.panel.composition import images_of, library
    from doubleread.panel.models import Models

    return closing(Models.open(settings, images_of(settings), library(settings)))
