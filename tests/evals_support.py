"""Tiny pictures for the tests of evals."""

from pathlib import Path

from PIL import Image


def picture(path: Path, colour: int) -> Path:
    """A plain 8 × 8 PNG; another number gives other bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (colour % 256, colour // 256 % 256, 7)).save(path)
    return path
