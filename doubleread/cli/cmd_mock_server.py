"""``doubleread mock-server``."""

import json
import math
import re
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
model = "{model}"
base_url = "{url}"
{key}price = {{ input = 0, output = 0 }}
"""
KEY = "MOCK_KEY"
"""Environment variable of the key."""
_FOR = re.compile(r"([\d.]+)s")


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
        list[str] | None,
        typer.Option(
            help="NAME=SHARE of requests that fail in this way, or NAME=60s for all requests in the first 60 seconds "
            "from the first one; repeatable."
        ),
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="Feature to reject (json_schema, json_object, logprobs, …); repeatable.")
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(help="Field of requests to ignore, such as max_completion_tokens; repeatable."),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Name of a model to serve, others are unknown; repeatable. Default: any.")
    ] = None,
    key: Annotated[str | None, typer.Option(envvar=KEY, help="Key that requests must carry. Default: none.")] = None,
) -> None:
    """Run a server that imitates a model behind the OpenAI protocol, to try a panel at no cost."""
    from doubleread.agents.recorded.book import read_book
    from doubleread.mock_server import Fault, RateLimits, read_script, running
    from doubleread.mock_server.dry_run import DryRun
    from doubleread.mock_server.injected_faults import FAULTS
    from doubleread.mock_server.mock_rules import FEATURES

    (shares, spells), replies = _faults(fault or []), [] if script is None else read_script(script)
    if lacking := [name for name in without or [] if name not in FEATURES]:
        raise DataError(f"--without {lacking[0]!r}: the feature is one of {', '.join(FEATURES)}")
    if unknown := [say.name for say in replies if isinstance(say, Fault) and say.name not in FAULTS]:
        raise DataError(f"{script} names a fault {unknown[0]!r}; there are {', '.join(FAULTS)}")
    cases, looks = _looked_at(columns.dataset(data))
    book = None if answers is None else read_book(answers)
    says = DryRun(cases, looks, accuracy=accuracy, book=book, faults=shares, spells=spells)
    limits = RateLimits(requests_per_minute=requests_per_minute, in_flight=in_flight)
    with running(
        replies,
        says,
        limits=limits,
        latency_s=latency,
        without=without or [],
        ignores=ignore or [],
        models=model or [],
        key=key or None,
        host=host,
        port=port,
    ) as mock:
        say(f"serving at {mock.base_url}\nSettings for a panel with this model, to save and pass with --settings:\n")
        say(settings_text(mock.base_url, *(model or [])[:1], with_key=bool(key)))
        if key:
            say(f"Set {KEY} to the key where you use these settings.\n")
        if book is None:
            warn(f"answers are invented: right on {accuracy:.0%} of the images at first")
        _until_stopped(mock.server)


def settings_text(url: str, model: str = "mock-1", *, with_key: bool = False) -> str:
    """Returns settings for a panel of the usual agents and the model at this address."""
    from doubleread.settings import Settings

    agents = ", ".join(f'"{name}"' for name in Settings().panel.agents)
    key = f'key_variable = "{KEY}"\n' if with_key else ""
    return _SETTINGS.format(url=url, agents=agents, model=json.dumps(model)[1:-1], key=key)


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


def _faults(given: list[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Returns the shares of requests that fail, and the seconds for which all do, by the name of the fault."""
    from doubleread.mock_server.injected_faults import FAULTS

    shares, spells = {}, {}
    for text in given:
        name, _, amount = text.partition("=")
        if name not in FAULTS:
            raise DataError(f"--fault {text!r}: the name is one of {', '.join(FAULTS)}")
        try:
            if seconds := _FOR.fullmatch(amount):
                spells[name] = float(seconds[1])
            else:
                shares[name] = float(amount or 1)
        except ValueError:
            shares[name] = math.nan
        if not 0 <= shares.get(name, 0) <= 1:
            raise DataError(f"--fault {text!r}: write NAME=SHARE with a share from 0 to 1, or NAME=60s for 60 seconds")
    return shares, spells
