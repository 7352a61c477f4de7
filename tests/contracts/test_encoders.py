"""What every encoder must do, run on each row of the table."""

import numpy as np
import pytest
from rag_support import picture

from doubleread.core.errors import EncoderError, WeightsMissing
from doubleread.core.ports import Encoder, PatchEncoder, TextEncoder
from doubleread.rag.encoders import ENCODERS
from doubleread.rag.encoders.encoder_registry import TEXT


@pytest.fixture(scope="module", params=ENCODERS.names())
def name(request):
    return request.param


@pytest.fixture(scope="module")
def make(name, tmp_path_factory):
    def made():
        example = ENCODERS.example(name)
        if example is not None:
            return example(tmp_path_factory.mktemp("example"))
        try:
            return ENCODERS.get(name)("", device="cpu", checkpoint=None, download=False)
        except WeightsMissing as error:
            pytest.skip(str(error))

    return made


@pytest.fixture(scope="module")
def encoder(make):
    return make()


def test_is_an_encoder(encoder):
    assert isinstance(encoder, Encoder)


def test_rows_are_float32_of_unit_length(encoder):
    rows = encoder.encode([picture(i, (50, 30 + i)) for i in range(11)])
    assert (rows.shape, rows.dtype) == ((11, encoder.dim), np.float32)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(11), abs=1e-5)


def test_the_batch_does_not_change_a_row(encoder):
    images = [picture(i) for i in range(9)]
    together = encoder.encode(images)
    alone = np.concatenate([encoder.encode([image]) for image in images])
    assert np.allclose(together, alone, atol=1e-5)


def test_different_images_have_different_rows(encoder):
    first, second = encoder.encode([picture(1), picture(1).point(lambda v: 255 - v)])
    assert not np.allclose(first, second, atol=1e-4)


def test_nothing_gives_nothing(encoder):
    assert encoder.encode([]).shape == (0, encoder.dim)


def test_the_fingerprint_is_the_same_for_the_same_encoder(make, encoder):
    assert make().fingerprint == encoder.fingerprint
    assert 8 <= len(encoder.fingerprint) <= 40


def test_a_text_tower_is_told_without_loading_one(name, encoder):
    if name not in ENCODERS.built_in:
        pytest.skip("another package's encoder is loaded to find out")
    assert encoder.fingerprint.startswith(f"{name}-")
    assert (name in ENCODERS.having(TEXT)) == isinstance(encoder, TextEncoder)


def test_texts_share_the_space(encoder):
    if not isinstance(encoder, TextEncoder):
        pytest.skip("no text tower")
    rows = encoder.encode_text(["a healthy leaf", "a leaf with scab", "rust"])
    assert (rows.shape, rows.dtype) == ((3, encoder.dim), np.float32)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert encoder.encode_text([]).shape == (0, encoder.dim)
    assert encoder.logit_scale > 1


def test_patches_come_with_the_same_rows(encoder):
    if not isinstance(encoder, PatchEncoder):
        pytest.skip("gives no patches")
    images = [picture(i, (50, 30 + i)) for i in range(3)]
    try:
        seen = encoder.encode_patches(images)
    except EncoderError as error:
        pytest.skip(str(error))
    assert np.allclose(seen.embeddings, encoder.encode(images), atol=1e-4)
    assert (seen.patches.ndim, len(seen.patches), seen.patches.dtype) == (4, 3, np.float16)
    assert seen.patches.shape[3] <= 128
    alone = encoder.encode_patches(images[1:2]).patches[0]
    assert np.allclose(alone.astype(float), seen.patches[1].astype(float), atol=0.02 * np.abs(alone).max())
