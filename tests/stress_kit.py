"""Pictures to spoil, and a panel that reads their brightness."""

import asyncio
from types import SimpleNamespace

import numpy as np
from kit import case_of
from PIL import Image

from doubleread.core.case import Case
from doubleread.core.errors import PanelError
from doubleread.core.task import Task
from doubleread.core.verdict import Decision, Unfamiliarity, Unread, Verdict
from doubleread.evals.stress._pixels import clouds
from doubleread.settings import load_settings

TASK = Task.of("light", ["bright", "dark"])


def scene(height=96, width=128, seed=0):
    """A cloudy, coloured disc on black: as natural as a drawing gets, and its background is known."""
    rng = np.random.default_rng(seed)
    texture = np.stack([clouds((height, width), rng, 0.7) for _ in range(3)], axis=2)
    y, x = np.mgrid[:height, :width]
    inside = ((y / height - 0.5) ** 2 + (x / width - 0.5) ** 2 < 0.16)[..., None]
    pixels = np.where(inside, 0.15 + 0.7 * texture * np.array([0.9, 1.0, 0.4]), 0)
    return Image.fromarray((pixels * 255).astype(np.uint8))


def light_cases(folder, n):
    """``n`` pictures, half of them bright, in groups of two."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = []
    for i in range(n):
        path = folder / f"{i:02}.png"
        level = 200 if i % 2 == 0 else 60
        Image.fromarray(np.full((16, 16, 3), level + i % 7, np.uint8)).save(path)
        cases.append(Case.from_file(path, label=TASK.names[i % 2], group=f"g{i // 2}"))
    return tuple(cases)


class LightMeter:
    """As much of a panel as a stress test needs: says ``bright`` above the middle; what else it does is ``odd``."""

    def __init__(self, *, learned=(), odd=lambda case, light: {}, **settings):
        self.settings, self.task = load_settings(None, settings or None), TASK
        self.learned, self.odd, self.held = set(learned), odd, {}

    def about(self):
        if self.learned is None:
            raise PanelError("this panel has no folder")
        return SimpleNamespace(digest="0" * 64)

    def learned_from(self, case):
        return case.id in self.learned

    def hold(self, data, like):
        case = Case.from_bytes(data).model_copy(update={"label": like.label, "group": like.group})
        self.held[case.id] = data
        return case

    async def astream(self, images, *, in_flight=None):
        for place, case in enumerate(images):
            await asyncio.sleep(0)
            yield place, self.read(case)

    def read(self, case):
        import io

        pixels = np.asarray(Image.open(io.BytesIO(self.held[case.id])).convert("RGB"), float) / 255
        light = float(pixels.mean())
        fields = self.odd(case, light)
        if isinstance(fields, Unread):
            return fields
        said = "bright" if light > 0.5 else "dark"
        sure = {name: 0.9 if name == said else 0.1 for name in TASK.names}
        unlike = Unfamiliarity(score=0.0, threshold=1.0, p_value=0.5, n=99, alarm=light > 0.9)
        given = {
            "case": case_of("x"),
            "task": TASK.id,
            "posterior": sure,
            "prediction_set": (said,),
            "coverage": 0.9,
            "decision": Decision(action="commit", label=said),
            "familiarity": unlike,
        }
        return Verdict.model_validate({**given, **fields})
