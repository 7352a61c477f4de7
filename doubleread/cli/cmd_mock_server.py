"""``doubleread mock-server``."""

import time
from pathlib import Path

from rich.live import Live
from rich.markup import escape
from rich.text import Text

from doubleread.agents.recorded.book import read_book
from doubleread.cli.screen import ERR, OUT, progress, warn
from doubleread.core.errors import DataError, ImageError
from doubleread.evals.datasets import read_dataset
from doubleread.mock_server import Fault, RateLimits, read_script, running
from doubleread.mock_server.dry_run import DryRun, thumbnail
from doubleread.mock_server.injected_faults import FAULTS
from doubleread.mock_server.mock_app import MockServer
from doubleread.rag.images.case_images import Images

SNIPPET = '[vlm.mock]\nmodel = "mock-1"\nbase_url = "{url}"\nprice = {{ input = 0, output = 0 }}'


def run_mock_server(
    data: str,
    *,
    host: str,
    port: int,
    answers: Path | None,
    script: Path | None,
    accuracy: float,
    latency: float,
    limits: RateLimits,
    faults: list[str],
    without: list[str],
) -> None:
    """Serves until Ctrl-C; prints the address, what to put into the settings, and a running count."""
    shares, replies = _faults(faults), [] if script is None else read_script(script)
    if unknown := [say.name for say in replies if isinstance(say, Fault) and say.name not in FAULTS]:
        raise DataError(f"{script} names a fault {unknown[0]!r}; there are {', '.join(FAULTS)}")
    dataset = read_dataset(data)
    images, cases, looks = Images(), [], []
    with progress() as report:
        for i, case in enumerate(dataset.cases, start=1):
            try:
                looks.append(thumbnail(images.open(case, max_side=256)))
                cases.append(case)
            except ImageError as error:
                warn(f"skipped {case.source}: {error}")
            report("looking at the images", i, len(dataset.cases))
    if not cases:
        raise DataError(f"{data} holds no image that can be read")
    book = None if answers is None else read_book(answers)
    says = DryRun(cases, looks, accuracy=accuracy, book=book, faults=shares)
    with running(replies, says, limits=limits, latency_s=latency, without=without, host=host, port=port) as mock:
        OUT.print(f"serving at {mock.base_url}; for the settings:\n", highlight=False)
        OUT.print(escape(SNIPPET.format(url=mock.base_url)) + "\n", highlight=False)
        if book is None:
            warn(f"answers are invented: right on {accuracy:.0%} of the images at first")
        _until_stopped(mock.server)


def _until_stopped(server: MockServer) -> None:
    with Live(console=ERR, refresh_per_second=2) as live:
        try:
            while True:
                n = len(server.requests)
                live.update(Text(f"{n} requests, {server.answered} answered, {server.refused} refused"))
                time.sleep(0.5)
        except KeyboardInterrupt:
            return


def _faults(given: list[str]) -> dict[str, float]:
    """``name=share`` pairs."""
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
