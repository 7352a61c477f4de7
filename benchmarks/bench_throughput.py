"""How many images a second a run of the local panel reads, over what its encoder does alone."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import mkdtemp

import torch
from PIL import Image

from benchmarks.bench_panel import judged_panel
from benchmarks.data import leaves
from benchmarks.figure import Figure
from doubleread.core.case import Case
from doubleread.core.types import Json
from doubleread.evals.datasets import LabelledCases
from doubleread.evals.runs.evaluate import RunChoice, evaluate
from doubleread.evals.runs.run_folder import read_rows
from doubleread.panel import Panel
from doubleread.rag.encoders.open_clip import untrained_weights
from doubleread.rag.images.case_images import Images
from doubleread.rag.view_encoder import DECODE_SIDE
from doubleread.settings import load_settings

CASES, PAIRS = 600, 3
CROPS = 5
"""Views that a second look adds."""
CLIP, CLIP_FITTED, CLIP_CASES = "ViT-B-32", 60, 200


def batch_throughput() -> Iterator[Figure]:
    """With the embedded encoder, one of the smallest there are."""
    judged = judged_panel(leaves)
    tests = tuple(v.case for v in judged.verdicts[:CASES])
    yield from _share("evaluate.encoder_share", judged.folder, tests, {})


def batch_throughput_clip() -> Iterator[Figure]:
    """With a CLIP encoder of the usual size; its weights are drawn at random, which changes nothing in its work."""
    dataset = leaves()
    few = [case for case in dataset.cases if case.split != "test"]
    tests = tuple(case for case in dataset.cases if case.split == "test")[:CLIP_CASES]
    encoder = {"name": f"open-clip:{CLIP}", "checkpoint": str(_random_weights())}
    settings = load_settings(None, {"encoder": encoder, "second_look": {"max_rounds": 1}})
    folder = Path(mkdtemp(prefix="doubleread-bench-")) / "panel"
    with Panel.fit(few[:: len(few) // CLIP_FITTED], dataset.task, settings=settings) as panel:
        panel.save(folder)
    yield from _share("evaluate.encoder_share_clip", folder, tests, encoder)


def _share(name: str, folder: Path, tests: tuple[Case, ...], encoder: Mapping[str, str]) -> Iterator[Figure]:
    """The views that the encoder sees in a run, over what it sees alone in the same time, before and after the run."""
    ready, ratios, told = [Images().open(case, max_side=DECODE_SIDE) for case in tests], [], ""
    for _ in range(PAIRS):
        cache: Json = {"cache_dir": mkdtemp(prefix="doubleread-bench-")}
        with Panel.load(folder, settings=load_settings(None, {"encoder": {**encoder, **cache}})) as panel:
            panel.warm_up()
            encode = panel._eyes.encoder.encode  # noqa: SLF001 - what is measured against
            before = _cost(partial(_encode, encode, ready))
            run = Path(mkdtemp(prefix="doubleread-bench-")) / "run"
            taken = _cost(partial(evaluate, panel, LabelledCases(name="leaves", cases=tests), RunChoice(run)))
            after = _cost(partial(_encode, encode, ready))
        looks = sum(row.verdict is not None and row.verdict.second_look is not None for row in read_rows(run))
        views = len(tests) + looks * CROPS
        alone, busy = (views / len(tests) * (x + y) / 2 for x, y in zip(before, after, strict=True))
        ratios.append(alone / taken[0])
        own = taken[1] - busy
        told = f"last: {len(tests) / taken[0]:.0f} images/s, {own / len(tests) * 1e3:.1f} ms CPU an image beside it"
    note = f"median, minimum, maximum of {PAIRS}; a second look is {CROPS} views more; {told}"
    yield Figure.over(name, ratios, ">= 0.85", note, by=median, n=len(tests))


def _encode(encode: Callable[[Sequence[Image.Image]], object], ready: Sequence[Image.Image]) -> None:
    for start in range(0, len(ready), 8):
        encode(ready[start : start + 8])


def _random_weights() -> Path:
    torch.manual_seed(0)
    file = Path(mkdtemp(prefix="doubleread-bench-")) / f"{CLIP}.pt"
    torch.save(untrained_weights(CLIP), file)
    return file


def _cost(do: Callable[[], object]) -> tuple[float, float]:
    """Seconds that pass, and of processor time."""
    began, busy = time.perf_counter(), time.process_time()
    do()
    return time.perf_counter() - began, time.process_time() - busy
