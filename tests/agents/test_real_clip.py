"""Real vectors of CLIP ViT-B/32: texts, one picture, and 512 apple leaves, all in one space.

The folder of the texts is named by ``DOUBLEREAD_CLIP``, that of the leaves by ``DOUBLEREAD_PAPER``.
"""

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from agents_support import context
from kit import TableEmbedder, case_of
from PIL import Image

from benchmarks.ood_scoring import auroc
from doubleread.agents.discriminant import Discriminant
from doubleread.agents.logistic import Logistic
from doubleread.agents.zero_shot import ZeroShot
from doubleread.core.errors import EncoderError
from doubleread.core.task import Label, Task
from doubleread.orchestrator.calibration import CALIBRATORS
from doubleread.rag.case_search import find_like
from doubleread.rag.encoders import build
from doubleread.rag.stores.exact import ExactStore

CLIP, PAPER = os.environ.get("DOUBLEREAD_CLIP", ""), os.environ.get("DOUBLEREAD_PAPER", "")
pytestmark = [
    pytest.mark.skipif(not CLIP, reason="set DOUBLEREAD_CLIP to a folder with real CLIP text vectors"),
    pytest.mark.skipif(not PAPER, reason="set DOUBLEREAD_PAPER to the paper's records with CLIP vectors of leaves"),
]
GOLDEN = ("a diagram", "a dog", "a cat")
SAID = (0.9927937, 0.00421068, 0.00299572)
"""What CLIP's authors give for the picture and these texts."""


class TextTable:
    """A text tower that looks vectors up."""

    logit_scale = 100.0

    def __init__(self, names, vectors):
        self._rows = dict(zip(names, _unit(vectors), strict=True))

    def encode_text(self, texts):
        return np.stack([self._rows[text] for text in texts])


class LookedUp(TextTable):
    """An encoder of one picture and of texts."""

    fingerprint, dim = "open-clip-looked-up", 512

    def encode(self, images):
        return np.repeat(_unit(_load("golden/image_features.npy")), len(images), axis=0)


def _unit(rows):
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _load(name):
    return np.load(Path(CLIP) / name, allow_pickle=False)


def _task(names):
    return Task(id="t", about="Anything.", labels=tuple(Label(name=name, phrases=(name,)) for name in names))


def _zero_shot(names, vectors):
    return ZeroShot(context(task=_task(names), text=TextTable(names, vectors), templates=("{}",)))


@pytest.fixture(scope="module")
def leaves():
    """Embeddings ``(512, 512)`` and label indices in a random order, and the labels."""
    table = np.load(Path(PAPER) / "clip_vit_b32_train.npz", allow_pickle=False)
    names, y = np.unique(table["labels"], return_inverse=True)
    order = np.random.default_rng(0).permutation(len(y))
    return table["embeddings"][order], y[order], tuple(map(str, names))


@pytest.fixture(scope="module")
def imagenet():
    names = json.loads((Path(CLIP) / "imagenet_names.json").read_text())
    names = [f"{i} {name.split(',')[0]}" for i, name in enumerate(names)]
    return names, _load("imagenet1000_text_vit_b32.npz")["text"]


def test_zero_shot_gives_the_probabilities_that_clip_gives():
    agent = _zero_shot(GOLDEN, _load("golden/text_features.npy"))
    logs = agent.log_posteriors(_unit(_load("golden/image_features.npy")))
    np.testing.assert_allclose(np.exp(logs[0]), SAID, atol=2e-6)


async def test_its_opinion_is_that_distribution():
    image, texts = _unit(_load("golden/image_features.npy")), _load("golden/text_features.npy")
    case = case_of("diagram")
    parts = {"task": _task(GOLDEN), "text": TextTable(GOLDEN, texts), "templates": ("{}",)}
    opinion = await ZeroShot(context(embedder=TableEmbedder({case.id: image[0]}), **parts)).read(case)
    np.testing.assert_allclose([opinion.probabilities[name] for name in GOLDEN], SAID, atol=1e-5)


def test_leaves_among_a_thousand_names_are_what_clip_takes_them_for(leaves, imagenet):
    embeddings, _, _ = leaves
    names, texts = imagenet
    top = _zero_shot(names, texts).log_posteriors(embeddings).argmax(axis=1)
    found = Counter(names[i].split(" ", 1)[1] for i in top)
    assert found.most_common(3) == [("leafhopper", 263), ("leaf beetle", 125), ("fig", 103)]


def test_images_and_texts_lie_apart(leaves, imagenet):
    """The modality gap: cosines between them say little by themselves, their differences do."""
    embeddings, y, _ = leaves
    cosines = embeddings @ _unit(imagenet[1]).T
    assert 0.15 < cosines.mean() < 0.21
    assert cosines.max() < 0.35
    assert (embeddings[y == 0] @ embeddings[y == 0].T).mean() > 0.7


def test_a_text_finds_the_picture_among_the_leaves(leaves):
    embeddings, y, names = leaves
    encoder = LookedUp(GOLDEN, _load("golden/text_features.npy"))
    store = ExactStore(encoder.fingerprint, dim=512)
    cases = [case_of(f"leaf {i}", label=names[k]) for i, k in enumerate(y)]
    store.add([*cases, case_of("diagram", label="diagram")], np.vstack([embeddings, encoder.encode([None])]))
    found = find_like(store, encoder, "a diagram", k=2).neighbours
    assert found[0].label == "diagram"
    assert found[0].similarity > found[1].similarity + 0.02


@pytest.mark.parametrize(("kind", "accuracy", "ece"), [(Discriminant, 0.97, 0.035), (Logistic, 0.965, 0.05)])
def test_heads_on_half_of_the_leaves_read_the_other_half(leaves, kind, accuracy, ece):
    embeddings, y, names = leaves
    agent = kind(context(task=_task(names), text=None)).fit(embeddings[:256], y[:256])
    p = np.exp(agent.log_posteriors(embeddings[256:]))
    right = p.argmax(axis=1) == y[256:]
    assert right.mean() >= accuracy
    assert abs(p.max(axis=1).mean() - right.mean()) <= ece


def test_a_head_on_leaves_is_not_moved_by_phrases_that_say_nothing(leaves, imagenet):
    """With 64 leaves a label the text part of the discriminant weighs little."""
    embeddings, y, names = leaves
    task, texts = _task(names), TextTable(names, imagenet[1][:4])
    plain, told = (
        Discriminant(context(task=task, text=text, templates=("{}",))).fit(embeddings[:256], y[:256])
        for text in (None, texts)
    )
    right = [(one.log_posteriors(embeddings[256:]).argmax(axis=1) == y[256:]).mean() for one in (plain, told)]
    assert right[1] >= right[0] - 0.02


def test_a_temperature_makes_an_overconfident_reading_honest(leaves, imagenet):
    """Zero-shot at CLIP's own scale with four arbitrary names is far too sure; a fitted temperature flattens it."""
    embeddings, y, names = leaves
    logs = _zero_shot(names, imagenet[1][:4]).log_posteriors(embeddings)
    p = np.exp(logs)
    fitted = CALIBRATORS.get("temperature")().fit(p[:256], y[:256])
    before, after = p[256:], fitted.apply(p[256:])
    losses = [-np.log(np.maximum(q[np.arange(256), y[256:]], 1e-12)).mean() for q in (before, after)]
    assert losses[1] < losses[0]
    assert losses[1] <= np.log(4) + 0.05


def test_unknown_leaves_stand_out_with_cooked(leaves):
    """Leave one label out: the mean of closed-set readers (COOkeD, arXiv 2507.22576) tells it from the known ones."""
    embeddings, y, names = leaves
    found = []
    for out in range(4):
        known = np.flatnonzero(y[:256] != out)
        remapped = y[known] - (y[known] > out)
        task = _task([name for k, name in enumerate(names) if k != out])
        readers = [
            kind(context(task=task, text=None)).fit(embeddings[known], remapped) for kind in (Discriminant, Logistic)
        ]
        said = np.mean([np.exp(one.log_posteriors(embeddings[256:])) for one in readers], axis=0)
        sure, away = said.max(axis=1), y[256:] == out
        found.append(auroc(-sure[~away], -sure[away]))
    assert np.mean(found) > 0.8


def test_the_real_model_agrees_wherever_its_weights_are():
    try:
        encoder = build("open-clip:ViT-B-32/openai", device="cpu")
    except EncoderError as error:
        pytest.skip(f"no weights of ViT-B-32/openai here: {str(error)[:80]}")
    with Image.open(Path(CLIP) / "golden" / "CLIP.png") as picture:
        row = encoder.encode([picture.convert("RGB")])
    assert float((row @ _unit(_load("golden/image_features.npy")).T)[0, 0]) > 0.99
    texts = encoder.encode_text(GOLDEN)
    assert (np.diag(texts @ _unit(_load("golden/text_features.npy")).T) > 0.999).all()
