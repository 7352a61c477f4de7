"""A model whose answers depend on how it is asked, and panels with it."""

import json
import random
from hashlib import sha256

from models_kit import texts

from doubleread.mock_server import Fault
from doubleread.mock_server.dry_run import DryRun, thumbnail
from doubleread.rag.images.case_images import Images
from doubleread.settings import load_settings

STEPS = "Work step by step"
"""In the text of vlm-read-checklist only."""
APART = "tells apart"
"""In the text of vlm-contrast only."""


class AskedWell(DryRun):
    """Is right on ``accuracy`` of the pictures, and on ``better`` of them if the question holds the text ``how``.

    Each wording has mistakes of its own, unless they are ``alike``. Questions with the text ``refused`` get a refusal.
    """

    def __init__(self, cases, *, how="", accuracy=0.6, better=1.0, refused="", alike=False):
        images = Images()
        super().__init__(cases, [thumbnail(images.open(case)) for case in cases], accuracy=accuracy)
        self._how, self._base, self._better, self._refused = how, accuracy, better, refused
        self._alike, self.asked = alike, []

    def __call__(self, received):
        text = "\n".join(texts(received.body)[:1])
        self.asked.append(text)
        if self._refused and self._refused in text:
            return Fault("refusal")
        self._wording = "" if self._alike else text
        return super().__call__(received)

    def _invented(self, case, model, round_, options):
        right = self._better if self._how and self._how in self._wording else self._base
        chance = random.Random(sha256(f"{case.id} {model} {self._wording}".encode()).digest())
        said = case.label if chance.random() < right else chance.choice([one for one in options if one != case.label])
        rest = (1 - 0.8) / (len(options) - 1)
        return {name: 0.8 if name == said else rest for name in options}, "invented"


def settings_with(base, base_url, folder, *, agents=("neighbours", "gpt"), vlm=(), **sections):
    """Settings of a panel with the agent ``gpt`` at an address; its answers are cached for this test only."""
    gpt = {
        "model": f"model of {folder.name}",
        "base_url": base_url,
        "attempts": 1,
        "attempt_timeout_s": 30.0,
        "price": {"input": 2.5, "output": 10.0},
        **dict(vlm),
    }
    flags = {
        "encoder": base.encoder.model_dump(),
        "trust": {"folds": 2, "consistency_cases": 0, "calibrator": "temperature"},
        "fusion": {"rule": "log-pool"},
        "panel": {"agents": agents},
        "vlm": {"gpt": gpt},
        **sections,
    }
    return load_settings(None, json.loads(json.dumps(flags)))
