"""Pictures in other colour spaces than sRGB, and what it costs to look for them in plain ones."""

import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageCms, JpegImagePlugin, PngImagePlugin
from PIL.ImageFile import ImageFile

from benchmarks.bench_panel import CHANGED, judged_panel, open_rgb
from benchmarks.data import leaves
from benchmarks.figure import Figure
from benchmarks.press import cmyk_profile, in_cmyk
from doubleread.core.case import Case
from doubleread.core.verdict import Verdict
from doubleread.panel import Panel
from doubleread.rag.images.icc_profiles import ADOBE_GAMMA, D65, PRIMARIES, grey_profile, rgb_profile
from doubleread.rag.images.safe_images import open_image

_PROPHOTO = ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001))
PROFILES = {
    "adobe_rgb": rgb_profile("Adobe RGB (1998)", PRIMARIES["Adobe RGB"], D65, ADOBE_GAMMA),
    "display_p3": rgb_profile("Display P3", PRIMARIES["Display P3"]),
    "prophoto": rgb_profile("ProPhoto RGB", _PROPHOTO, (0.3457, 0.3585), 1.8),
    "grey": grey_profile("Gray Gamma 2.2", 2.2),
}
SIDE = 1024
_RUNS, _PICTURES = 40, 20


def colour_profiles() -> Iterator[Figure]:
    """Forty unseen leaves, re-encoded with a profile: the same to a viewer, so no commitment may turn wrong."""
    judged = judged_panel(leaves)
    rng = np.random.default_rng(0)
    cases = [judged.verdicts[i].case for i in rng.choice(len(judged.verdicts), CHANGED, replace=False)]
    with Panel.load(judged.folder) as panel:
        plain = _found(panel, [_jpeg(open_rgb(case)) for case in cases])
        grey = _found(panel, [_jpeg(open_rgb(case).convert("L")) for case in cases])
        yield _figure("srgb", plain, plain, cases)
        for name, profile in PROFILES.items():
            found = _found(panel, [_re_encoded(open_rgb(case), profile) for case in cases])
            yield _figure(name, found, grey if name == "grey" else plain, cases)
        inks = [_jpeg(in_cmyk(open_rgb(case)), icc_profile=cmyk_profile()) for case in cases]
        yield _figure("cmyk", _found(panel, inks), plain, cases)


def decoding() -> Iterator[Figure]:
    """Time to open plain pictures, over the time that it took before."""
    cases = leaves().cases[:_PICTURES]
    photo = open_rgb(cases[0]).resize((4000, 3000), Image.Resampling.BICUBIC)
    jpegs = [_saved(open_rgb(case), "JPEG") for case in cases]
    pngs = [_saved(open_rgb(case), "PNG") for case in cases]
    yield _cost("jpeg", jpegs, JpegImagePlugin.JpegImageFile)
    yield _cost("png", pngs, PngImagePlugin.PngImageFile)
    yield _cost("jpeg_12_megapixels", [_saved(photo, "JPEG")], JpegImagePlugin.JpegImageFile)


def _found(panel: Panel, images: Sequence[bytes]) -> list[Verdict]:
    return [v for v in panel.diagnose_many(images) if isinstance(v, Verdict)]


def _figure(name: str, found: Sequence[Verdict], plain: Sequence[Verdict], cases: Sequence[Case]) -> Figure:
    committed = [v.decision.action == "commit" for v in found]
    wrong = sum(done and v.decision.label != case.label for done, v, case in zip(committed, found, cases, strict=True))
    moved = max(
        abs(v.scores[label] - as_is.scores[label])
        for v, as_is in zip(found, plain, strict=True)
        for label in as_is.scores
    )
    return Figure(
        name=f"colours.{name}.right_or_referred",
        value=len(found) - wrong,
        n=len(found),
        target=f">= {CHANGED}",
        note=f"{sum(committed)} committed; no probability moves more than {moved:.2f}",
    )


def _re_encoded(image: Image.Image, profile: bytes) -> bytes:
    opened = ImageCms.getOpenProfile(io.BytesIO(profile))
    mode = "L" if opened.profile.xcolor_space == "GRAY" else "RGB"
    made = ImageCms.profileToProfile(image, ImageCms.createProfile("sRGB"), opened, outputMode=mode)
    assert made is not None
    return _jpeg(made, icc_profile=profile)


def _jpeg(image: Image.Image, **more: bytes) -> bytes:
    held = io.BytesIO()
    image.save(held, "JPEG", quality=95, subsampling=0, **more)
    return held.getvalue()


def _saved(image: Image.Image, format: str) -> bytes:
    held = io.BytesIO()
    image.save(held, format)
    return held.getvalue()


def _cost(name: str, files: Sequence[bytes], plugin: Callable[[io.BytesIO], ImageFile]) -> Figure:
    """Both ways open each file in turn, in changing order; the fastest time of each counts, free of what else runs."""
    best = {(ours, i): float("inf") for ours in (True, False) for i in range(len(files))}
    for run in range(_RUNS):
        for i, file in enumerate(files):
            for ours in (True, False) if run % 2 else (False, True):
                began = time.perf_counter()
                _ = open_image(file, max_side=SIDE) if ours else _before(file, plugin)
                best[ours, i] = min(best[ours, i], time.perf_counter() - began)
    now, then = (sum(best[ours, i] for i in range(len(files))) for ours in (True, False))
    note = f"fastest of {_RUNS} times each: {now / len(files) * 1e3:.2f} ms, {then / len(files) * 1e3:.2f} ms before"
    return Figure(name=f"decoding.{name}.ratio", value=now / then, n=len(files), target="<= 1.05", note=note)


def _before(file: bytes, plugin: Callable[[io.BytesIO], ImageFile]) -> Image.Image:
    """What opening took before colour profiles were looked for: the same checks of size, frames, depth and shape."""
    with _told():
        image = plugin(io.BytesIO(file))
    width, height = image.size
    if width * height > 40_000_000 or min(width, height) < 8 or max(width, height) > 50 * min(width, height):
        raise ValueError(image.size)
    with _told():
        if getattr(image, "is_animated", False) or image.mode.startswith("I;16") or image.mode in {"I", "F"}:
            raise ValueError(image.mode)
    with _told():
        if max(image.size) > SIDE:
            share = SIDE / max(image.size)
            image.draft("RGB", (round(image.width * share), round(image.height * share)))
        image.load()
        if image.has_transparency_data:
            raise ValueError(image.mode)
        pixels = image.convert("RGB")
        image.getexif().get(0x0112, 1)
        pixels.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    pixels.info.clear()
    return pixels


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (OSError, SyntaxError, ValueError) as error:
        raise AssertionError("a picture of this benchmark cannot be read") from error
