"""Encoders: is every open_clip architecture given the pixels that its weights want, and do two encoders help?"""

from collections.abc import Iterator

from benchmarks.data import leaves, solar_cells
from benchmarks.figure import Figure
from doubleread.core.errors import EncoderError
from doubleread.evals.datasets import Dataset
from doubleread.evals.encoder_comparison import compare_encoders
from doubleread.rag.encoders._preparation import Preprocess, agreed
from doubleread.rag.encoders.open_clip_sources import architectures, published
from doubleread.settings_sections import EncoderOptions

PAIR = {name: EncoderOptions(name=name) for name in ("efficientnet-lite0", "colour-texture")}


def encoder_slot() -> Iterator[Figure]:
    """Architectures of open_clip whose bare checkpoint would silently be given other pixels, or another activation."""
    wrong, refused, unlike_clip = [], 0, 0
    names = architectures()
    for name in names:
        tags = published(name)
        try:
            found = agreed(name, tags)
        except EncoderError:
            refused += 1
            continue
        unlike_clip += found.preprocess != Preprocess()
        if any((one.preprocess, one.quick_gelu) != (found.preprocess, found.quick_gelu) for one in tags.values()):
            wrong.append(name)
    note = f"{refused} are an error that asks for a tag; {unlike_clip} want other pixels than OpenAI's CLIP"
    yield Figure(name="encoder_slot.wrong in silence", value=len(wrong), n=len(names), target="== 0", note=note)


def two_encoders() -> Iterator[Figure]:
    """Log-loss of two encoders together below that of the better one: cross-fitted, whole groups held out."""
    for name, dataset in (("leaves", leaves()), ("solar cells", solar_cells())):
        yield _gain(name, dataset)


def _gain(name: str, dataset: Dataset) -> Figure:
    found = compare_encoders(dataset.cases, dataset.task, PAIR)
    (pair,) = found.pairs
    alone = ", ".join(f"{one.name} {one.log_loss:.3f}" for one in found.encoders)
    low, high = (pair.gain + side * 1.96 * pair.gain_error for side in (-1, 1))
    note = f"{alone}; together {pair.log_loss:.3f}; {found.groups} groups"
    target = f"> {pair.gain_error:.5f}"  # one standard error: less is noise
    return Figure(name=f"two_encoders.{name}", value=pair.gain, low=low, high=high, n=found.n, target=target, note=note)
