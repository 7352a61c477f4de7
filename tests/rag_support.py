"""Small real images, cases, a scripted encoder and a tiny CLIP for the tests of rag."""

import hashlib
import io
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

from doubleread.core.case import Case

TINY = "doubleread-tiny"


def encoded(image: Image.Image, format: str = "PNG", **options) -> bytes:
    """The image in a file format."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def picture(seed: int = 0, size: tuple[int, int] = (32, 24)) -> Image.Image:
    """A picture of noise, so that two seeds never give the same bytes."""
    noise = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise)


def blotches(seed: int = 0, side: int = 96) -> Image.Image:
    """Large patches of colour with fine detail on them, as photographs have."""
    patches = picture(seed, (6, 6)).resize((side, side), Image.Resampling.BICUBIC)
    return Image.blend(patches, picture(seed + 1_000_000, (side // 2, side // 2)).resize((side, side)), 0.2)


def image_case(folder: Path, seed: int, **fields) -> Case:
    """A case with a real file."""
    path = folder / f"{seed}.png"
    path.write_bytes(encoded(picture(seed)))
    return Case.from_file(path, **fields)


def bare_case(number: int, label: str | None = "a", **fields) -> Case:
    """A case without a file; its id depends on the number only."""
    return Case(id=hashlib.sha256(str(number).encode()).hexdigest(), label=label, source=f"{number}.png", **fields)


def units(n: int, dim: int = 8, seed: int = 0) -> np.ndarray:
    """Random unit-length rows."""
    rows = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class ScriptedEncoder:
    """Mean colours as embeddings; counts the images it was given, in which batches."""

    fingerprint, dim = "scripted-1", 8

    def __init__(self, seconds: float = 0.0, error: Exception | None = None) -> None:
        self.seconds, self.error = seconds, error
        self.batches: list[int] = []
        self._busy = threading.Lock()

    @property
    def encoded(self) -> int:
        return sum(self.batches)

    def encode(self, images):
        assert self._busy.acquire(blocking=False), "two threads in the encoder at once"
        try:
            self.batches.append(len(images))
            time.sleep(self.seconds)
            if self.error is not None:
                raise self.error
            return np.stack([self._row(image) for image in images])
        finally:
            self._busy.release()

    def _row(self, image):
        pixels = np.asarray(image, np.float32)
        row = np.concatenate([pixels.mean(axis=(0, 1)), pixels.std(axis=(0, 1)), pixels[0, 0, :2]])
        return (row / np.linalg.norm(row)).astype(np.float32)


def tiny_clip(folder: Path, seed: int = 0) -> Path:
    """A checkpoint of the architecture ``TINY``, which open_clip then knows."""
    from doubleread.rag.encoders.open_clip import tiny_weights

    return tiny_weights(folder, seed)
