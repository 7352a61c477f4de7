"""What the encoder slot understands of the field's models: pixels, activation, texts, folders, and why one fails."""

import json
import warnings

import numpy as np
import pytest
import torch
from rag_support import TINY, picture, tiny_clip

from doubleread.core.errors import EncoderError, UnknownPart, WeightsMissing
from doubleread.core.notices import DoublereadWarning
from doubleread.rag.encoders import build, within_reach
from doubleread.rag.encoders._loading_faults import loading_fault
from doubleread.rag.encoders._long_texts import chunked
from doubleread.rag.encoders._preparation import Preparation, Preprocess, agreed

open_clip = pytest.importorskip("open_clip")
CONFIG = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2], "interpolation": "bilinear", "resize_mode": "squash"}


@pytest.fixture
def checkpoint(tmp_path):
    return tiny_clip(tmp_path)


@pytest.fixture
def folder(tmp_path, checkpoint):
    """A model of the hub, downloaded into a folder."""
    home = tmp_path / "model"
    home.mkdir()
    model = json.loads((tmp_path / f"{TINY}.json").read_text())
    (home / "open_clip_config.json").write_text(json.dumps({"model_cfg": model, "preprocess_cfg": CONFIG}))
    (home / "open_clip_pytorch_model.bin").write_bytes(checkpoint.read_bytes())
    return home


def preparations():
    from doubleread.rag.encoders.open_clip_sources import published

    return {name: published(name) for name in open_clip.list_models() if name != TINY}


def test_no_architecture_is_given_pixels_or_an_activation_that_its_weights_do_not_state():
    """For every architecture of open_clip: a bare checkpoint gets what every tag states, or an error."""
    listed: list[bool] = []
    outcomes = {"agreed": 0, "differ": 0, "unpublished": 0}
    for name, tags in preparations().items():
        try:
            found = agreed(name, tags)
        except EncoderError as error:
            outcomes["differ" if tags else "unpublished"] += 1
            listed.append(next(iter(tags), "preprocess_cfg") in str(error))
            continue
        outcomes["agreed"] += 1
        native = (open_clip.get_model_config(name) or {}).get("quick_gelu", False)
        for tag in tags:
            config = open_clip.get_pretrained_cfg(name, tag)
            stated = (*map(tuple, (config["mean"], config["std"])), config["interpolation"], config["resize_mode"])
            pixels = found.preprocess
            assert (pixels.mean, pixels.std, pixels.interpolation, pixels.resize_mode) == stated
            assert found.quick_gelu == bool(config.get("quick_gelu") or native)
    assert all(listed)
    assert outcomes["agreed"] > 90
    assert outcomes["differ"] >= 5


@pytest.mark.parametrize(
    ("name", "mean", "interpolation", "resize"),
    [("MobileCLIP2-S0", 0.0, "bilinear", "shortest"), ("PE-Core-B-16", 0.5, "bilinear", "squash")],
)
def test_known_architectures_with_other_pixels(name, mean, interpolation, resize):
    found = agreed(name, preparations()[name]).preprocess
    assert (found.mean[0], found.interpolation, found.resize_mode) == (mean, interpolation, resize)


def test_a_checkpoint_whose_tags_differ_is_an_error_that_lists_them(checkpoint):
    with pytest.raises(EncoderError, match="trained in 2 ways") as caught:
        build("open-clip:ViT-B-32", checkpoint=checkpoint, device="cpu")
    text = str(caught.value)
    assert "open-clip:ViT-B-32/" in text
    assert text.index("quick GELU: openai") < text.index("; GELU: laion2b_e16")


def test_a_tag_beside_a_checkpoint_says_how_images_are_prepared(checkpoint):
    from doubleread.rag.encoders.open_clip_sources import locate

    source = locate("ViT-H-14", "dfn5b", checkpoint, None, download=False)
    assert source.weights == checkpoint
    assert (source.preparation.preprocess.resize_mode, source.preparation.quick_gelu) == ("squash", True)


def test_an_architecture_without_published_weights_says_what_to_state(checkpoint):
    with pytest.raises(EncoderError, match=r"preprocess_cfg states mean, std.*local-dir:FOLDER"):
        build("open-clip:ViT-M-32", checkpoint=checkpoint, device="cpu")


def test_differences_in_the_activation_alone_count():
    pixels = Preprocess()
    one = {"a": Preparation(pixels, quick_gelu=True), "b": Preparation(pixels, quick_gelu=True)}
    assert agreed("x", one).quick_gelu
    with pytest.raises(EncoderError, match="2 ways"):
        agreed("x", one | {"c": Preparation(pixels, quick_gelu=False)})


def test_a_model_in_a_folder_is_read_as_its_configuration_says(folder, checkpoint):
    encoder = build(f"open-clip:local-dir:{folder}", device="cpu")
    bare = build(f"open-clip:{TINY}", checkpoint=checkpoint, device="cpu")
    assert encoder.encode([picture()]).shape == (1, 16)
    assert encoder.fingerprint != bare.fingerprint
    understood = encoder.understood()
    assert "mean 0.5, 0.4, 0.3" in understood["pixels"]
    assert "bilinear, squash; GELU" in understood["pixels"]
    assert understood["known from"] == "its open_clip_config.json"
    np.testing.assert_allclose(encoder.encode_text(["a leaf"]), bare.encode_text(["a leaf"]), atol=1e-6)


def _without_mean(folder):
    file = folder / "open_clip_config.json"
    config = json.loads(file.read_text())
    del config["preprocess_cfg"]["mean"]
    file.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("spoil", "kind", "words"),
    [
        (lambda f: (f / "open_clip_config.json").unlink(), WeightsMissing, "holds no open_clip_config.json"),
        (lambda f: (f / "open_clip_pytorch_model.bin").unlink(), WeightsMissing, "holds no weights"),
        (lambda f: (f / "open_clip_config.json").write_text("{}"), EncoderError, "states no model_cfg"),
        (lambda f: (f / "open_clip_config.json").write_text("{"), EncoderError, "cannot be read"),
        (_without_mean, EncoderError, "states no mean and std"),
        (lambda f: (f / "open_clip_pytorch_model.bin").write_bytes(b"PK\x03\x04cut"), EncoderError, "incomplete"),
    ],
)
def test_a_folder_that_lacks_something_says_what(folder, spoil, kind, words):
    spoil(folder)
    with pytest.raises(kind, match=words):
        build(f"open-clip:local-dir:{folder}", device="cpu")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(WeightsMissing, match="is no folder"):
        build(f"open-clip:local-dir:{tmp_path / 'nowhere'}", device="cpu")


def test_a_folder_is_not_loaded_without_asking():
    assert not within_reach("open-clip:local-dir:/somewhere", download=False)
    assert within_reach("open-clip:ViT-B-32/openai", download=False)
    assert within_reach("timm:convnext_tiny.fb_in1k", download=False)
    assert not within_reach("timm:convnext_tiny.fb_in1k", download=True)


def test_a_text_tower_that_needs_transformers_says_what_to_install(monkeypatch):
    monkeypatch.setattr("doubleread.rag.encoders.open_clip_sources.find_spec", lambda name: None)
    needing = [
        name
        for name in open_clip.list_models()
        if {"hf_tokenizer_name", "hf_model_name"} & (open_clip.get_model_config(name)["text_cfg"]).keys()
    ]
    assert len(needing) > 40
    for name in needing:
        with pytest.raises(EncoderError, match=r"needs the package transformers: pip install 'doubleread\[hub\]'"):
            build(f"open-clip:{name}/any", device="cpu")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ImportError("No module named 'transformers'"), "doubleread\\[hub\\]"),
        (
            RuntimeError("PytorchStreamReader failed reading zip archive: failed finding central directory"),
            "incomplete",
        ),
        (RuntimeError("Error while deserializing header: header too large"), "incomplete"),
        (RuntimeError("Weights only load failed. Unsupported global: os.system"), "holds more than numbers"),
        (EOFError("Ran out of input"), "incomplete"),
        (OSError("couldn't connect to 'https://huggingface.co'"), "not on this machine"),
        (ValueError("strange"), "strange; check the file"),
    ],
)
def test_each_cause_has_its_own_words(error, words):
    assert isinstance(loading_fault("open-clip:x", "weights.pt", error), EncoderError)
    with pytest.raises(EncoderError, match=words):
        raise loading_fault("open-clip:x", "weights.pt", error)


def test_weights_of_another_architecture_are_counted(checkpoint):
    from doubleread.rag.encoders.open_clip import OpenClip

    with pytest.raises(EncoderError, match=r"another architecture \(text pos_embed width changed\)"):
        OpenClip("ViT-S-32-alt", checkpoint=checkpoint, preprocess=Preprocess(), device="cpu")


def test_texts_that_differ_after_the_context_have_different_vectors_and_a_warning(checkpoint):
    encoder = build(f"open-clip:{TINY}", checkpoint=checkpoint, device="cpu")
    same = " ".join(["brown"] * 90)
    with pytest.warns(DoublereadWarning, match="2 of 3 texts are longer than the 77 tokens"):
        rows = encoder.encode_text([f"{same} spots", f"{same} pustules", "a leaf"])
    assert not np.allclose(rows[0], rows[1], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(encoder.encode_text(["a leaf"])[0], rows[2], atol=1e-6)


def test_chunks_are_whole_words_and_lose_none():
    text = " ".join(f"word{i}" for i in range(50))
    with pytest.warns(DoublereadWarning, match="1 of 1 texts is longer"):
        (parts,) = chunked([text], lambda part: 2 + len(part.split()), 12)
    assert [len(part.split()) for part in parts] == [10] * 5
    assert " ".join(parts) == text
    assert chunked(["", "one"], lambda part: 2 + len(part.split()), 12) == [[""], ["one"]]


def test_timm_models_are_prepared_as_their_weights_say(tmp_path):
    from doubleread.rag.encoders.timm_models import EXAMPLE, random_weights

    encoder = build(f"timm:{EXAMPLE}", checkpoint=random_weights(tmp_path), device="cpu")
    assert encoder.understood()["pixels"].startswith("160 × 160; mean 0.5, 0.5, 0.5")
    assert encoder.encode([picture(), picture()]).shape == (2, encoder.dim)
    other = build(f"timm:{EXAMPLE}", checkpoint=random_weights(tmp_path, seed=1), device="cpu")
    assert encoder.fingerprint != other.fingerprint


def test_timm_weights_that_are_missing_unknown_or_wrong(tmp_path, monkeypatch):
    from doubleread.rag.encoders.timm_models import EXAMPLE, random_weights

    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    with pytest.raises(WeightsMissing, match="hf download timm/"):
        build("timm:vit_small_patch14_dinov2.lvd142m", device="cpu")
    with pytest.raises(EncoderError, match="close to it: convnext"):
        build("timm:convnxt_tiny", device="cpu")
    with pytest.raises(WeightsMissing, match="does not exist"):
        build(f"timm:{EXAMPLE}", checkpoint=tmp_path / "none.pt", device="cpu")
    other = tmp_path / "other.pt"
    torch.save({"head.weight": torch.zeros(2, 2)}, other)
    with pytest.raises(EncoderError, match=r"another architecture \(\d+ tensors missing, 1 tensors unknown"):
        build(f"timm:{EXAMPLE}", checkpoint=other, device="cpu")
    weights = random_weights(tmp_path)
    with pytest.raises(EncoderError, match=r"trained in \d+ ways"):
        build("timm:vit_base_patch16_224", checkpoint=weights, device="cpu")


def test_an_unknown_kind_of_encoder_is_named():
    with pytest.raises(UnknownPart, match="timm"):
        build("tim:x")
