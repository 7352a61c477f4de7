"""``doubleread mock-server``."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from doubleread.cli.option_groups import DataColumns, grouped
from doubleread.cli.screen import ERR, progress, say, warn
from doubleread.core.errors import DataError, ImageError
from doubleread.core.notices import warn_user

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from doubleread.core.case import Case
    from doubleread.evals.datasets import Dataset
    from doubleread.mock_server.mock_app import MockServer

app = typer.Typer()

_SETTINGS = """\
[panel]
agents = [{agents}, "mock"]

[vlm.mock]
model = "mock-1"
base_url = "{url}"
price = {{ input = 0, output = 0 }}
"""


@app.command("mock-server", epilog="Example: doubleread mock-server photos/ --accuracy 0.7 --fault rate-limit=0.05")
@grouped
def mock_server(
    data: Annotated[str, typer.Argument(help="The labelled images that it will be asked about, as for `fit`.")],
    *,
    columns: DataColumns,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0: a free one.")] = 8099,
    answers: Annotated[
        Path | None, typer.Option(help="File with recorded answers to give instead of invented ones.")
    ] = None,
    script: Annotated[
        Path | None, typer.Option(help='Lines such as {"text": "…"} or {"fault": "html"}, given before anything else.')
    ] = None,
    accuracy: Annotated[float, typer.Option(min=0, max=1, help="Share of invented answers that are right.")] = 0.7,
    latency: Annotated[float, typer.Option(min=0, help="Seconds before each answer.")] = 0.2,
    requests_per_minute: Annotated[float | None, typer.Option(min=1, help="Most requests in a minute.")] = None,
    in_flight: Annotated[int | None, typer.Option(min=1, help="Most requests at the same time.")] = None,
    fault: Annotated[
        list[str] | None, typer.Option(help="NAME=SHARE of requests that fail in this way; repeatable.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="Feature to reject (json_schema, json_object, logprobs, …); repeatable.")
    ] = None,
) -> None:
    """Run a server that imitates a model behind the OpenAI protocol, to try a panel at no cost."""
    from doubleread.agents.recorded.book import read_book
    from doubleread.mock_server import Fault, RateLimits, read_script, running
    from doubleread.mock_server.dry_run import DryRun
    from doubleread.mock_server.injected_faults import FAULTS

    shares, replies = _faults(fault or []), [] if script is None else read_script(script)
    if unknown := [say.name for say in replies if isinstance(say, Fault) and say.name not in FAULTS]:
        raise DataError(f"{script} names a fault {unknown[0]!r}; there are {', '.join(FAULTS)}")
    cases, looks = _looked_at(columns.dataset(data))
    book = None if answers is None else read_book(answers)
    says = DryRun(cases, looks, accuracy=accuracy, book=book, faults=shares)
    limits = RateLimits(requests_per_minute=requests_per_minute, in_flight=in_flight)
    with running(replies, says, limits=limits, latency_s=latency, without=without or [], host=host, port=port) as mock:
        say(f"serving at {mock.base_url}\nSettings for a panel with this model, to save and pass with --settings:\n")
        say(settings_text(mock.base_url))
        if book is None:
            warn(f"answers are invented: right on {accuracy:.0%} of the images at first")
        _until_stopped(mock.server)


def settings_text(url: str) -> str:
    """Returns settings for a panel of the usual agents and the model at this address."""
    from doubleread.settings import Settings

    agents = ", ".join(f'"{name}"' for name in Settings().panel.agents)
    return _SETTINGS.format(url=url, agents=agents)


def _looked_at(dataset: "Dataset") -> "tuple[list[Case], list[NDArray[np.uint8]]]":
    from doubleread.mock_server.dry_run import thumbnail
    from doubleread.rag.images.case_images import Images

    images = Images()
    cases, looks = [], []
    with progress() as report:
        for i, case in enumerate(dataset.cases, start=1):
            try:
                looks.append(thumbnail(images.open(case, max_side=256)))
                cases.append(case)
            except ImageError as error:
                warn_user([f"skipped {case.source}: {error}"])
            report("reading the images", i, len(dataset.cases))
    if not cases:
        raise DataError(f"{dataset.name} has no image that can be read")
    return cases, looks


def _until_stopped(server: "MockServer") -> None:
    from rich.live import Live

    with Live(console=ERR, refresh_per_second=2) as live:
        try:
            while True:
                n = len(server.requests)
                live.update(Text(f"{n} requests, {server.answered} answered, {server.refused} refused"))
                time.sleep(0.5)
        except KeyboardInterrupt:
            return


def _faults(given: list[str]) -> dict[str, float]:
    from doubleread.mock_server.injected_faults import FAULTS

    shares = {}
    for text in given:
        name, _, share = text.partition("=")
        try:
            shares[name] = float(share or 1)
        except ValueError:
            raise DataError(f"--fault {text!r}: write NAME=SHARE, as in rate-limit=0.05") from None
        if name not in FAULTS or not 0 <= shares[name] <= 1:
            raise DataError(f"--fault {text!r}: the share is within 0 and 1, the name one of {', '.join(FAULTS)}")
    return shares
