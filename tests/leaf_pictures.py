"""Drawn leaves with four diagnoses: small photographs that look like what the documentation talks about."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

LABELS = ("black-rot", "healthy", "rust", "scab")
_SPOTS = {"black-rot": (96, 60, 38), "rust": (214, 118, 22), "scab": (62, 66, 34)}


def leaf(path: Path, label: str, seed: int, side: int = 128) -> Path:
    """Draws a leaf on a light ground; never twice the same."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (side, side), tuple(rng.integers(205, 235, 3).tolist()))
    blade = Image.new("L", (side, side), 0)
    width, height = rng.uniform(0.25, 0.32) * side, rng.uniform(0.38, 0.46) * side
    middle = side / 2
    box = (middle - width, middle - height, middle + width, middle + height)
    ImageDraw.Draw(blade).ellipse(box, fill=255)
    green = Image.new("RGB", (side, side), tuple((np.array((74, 128, 52)) + rng.integers(-16, 17, 3)).tolist()))
    draw = ImageDraw.Draw(green)
    draw.line((middle, middle - height, middle, middle + height), fill=(150, 180, 110), width=2)
    for share in np.linspace(-0.7, 0.7, 7):
        start = middle + share * height
        for way in (-1, 1):
            draw.line((middle, start, middle + way * width, start - 0.3 * height), fill=(104, 152, 78), width=1)
    for _ in range(0 if label == "healthy" else int(rng.integers(7, 14))):
        _spot(draw, label, middle + rng.uniform(-0.8, 0.8) * width, middle + rng.uniform(-0.8, 0.8) * height, rng)
    picture.paste(green, mask=blade)
    picture = picture.rotate(float(rng.uniform(-40, 40)), fillcolor=picture.getpixel((0, 0)))
    noisy = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.7))) + rng.normal(0, 5, (side, side, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=90)
    return path


def leaf_folder(root: Path, n: int, *, seed: int = 0) -> Path:
    """``n`` leaves a label, one sub-folder each."""
    for k, label in enumerate(LABELS):
        for i in range(n):
            leaf(root / label / f"{label}-{i:02}.jpg", label, seed=seed + 1000 * k + i)
    return root


def _spot(draw: ImageDraw.ImageDraw, label: str, x: float, y: float, rng: np.random.Generator) -> None:
    radius = rng.uniform(2, 4) if label == "rust" else rng.uniform(3, 8)
    colour = tuple((np.array(_SPOTS[label]) + rng.integers(-14, 15, 3)).tolist())
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    if label == "black-rot":
        draw.ellipse((x - radius / 2, y - radius / 2, x + radius / 2, y + radius / 2), fill=(176, 146, 108))
