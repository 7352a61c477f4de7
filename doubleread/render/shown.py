"""Results that display themselves: text in a terminal, a card or picture in a notebook."""

import io
import sys
from pathlib import Path
from typing import Self

from PIL import Image
from pydantic import Field
from rich.console import Console, RenderableType

from doubleread.core.attribution import Attribution
from doubleread.core.case import Case
from doubleread.core.errors import ImageError, UnknownPart
from doubleread.core.terminal_text import legible
from doubleread.core.verdict import Verdict
from doubleread.orchestrator.explanation.counterfactual import WhatIf
from doubleread.orchestrator.explanation.influence import Explanation
from doubleread.rag.case_search import SimilarCases
from doubleread.rag.images.image_policy import shown_policy
from doubleread.rag.images.safe_images import open_image
from doubleread.render.heat import overlay, sheet
from doubleread.render.html import verdict_html
from doubleread.render.overview import HasOverview, Overview, Tile
from doubleread.render.terminal_card import verdict_card, verdict_details
from doubleread.render.thumbnail import case_thumbnail

PLAIN_WIDTH = 100
SIDE = 1024


class ShownVerdict(Verdict):
    """A ``Verdict`` with ``print``, rich and notebook output."""

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        return cls.model_validate(verdict, from_attributes=True)

    def __repr__(self) -> str:
        sure = f" {self.confidence:.1%}" if self.posterior and self.confidence is not None else ""
        return f"<Verdict on {_name(self.case)}: {self.decision.action}, {self.label or 'no opinion'}{sure}>"

    def __str__(self) -> str:
        return _plain(verdict_card(self))

    @property
    def details(self) -> str:
        """What ``print(verdict)`` leaves out: each agent's figures, the prediction set, similarities, reasons, cost."""
        return _plain(verdict_details(self))

    def __rich__(self) -> RenderableType:
        return verdict_card(self)

    def _repr_html_(self) -> str:
        return verdict_html(self)


class ShownExplanation(HasOverview, Explanation):
    """An ``Explanation`` with ``print`` and notebook output."""

    case: Case = Field(exclude=True)
    """The case of the verdict."""

    @classmethod
    def of(cls, found: Explanation, case: Case) -> Self:
        """Converts the explanation of a verdict on a case to one that displays itself."""
        return cls(case=case, **{name: getattr(found, name) for name in Explanation.model_fields})

    def _overview(self, *, pictures: bool) -> Overview:
        del pictures
        return Overview("Explanation", f"of the verdict on {_name(self.case)}", lines=self.lines)


class ShownWhatIf(HasOverview, WhatIf):
    """A ``WhatIf`` with ``print`` and notebook output."""

    @classmethod
    def of(cls, found: WhatIf) -> Self:
        """Converts a ``WhatIf`` to one that displays itself."""
        return cls.model_validate(found, from_attributes=True)

    def _overview(self, *, pictures: bool) -> Overview:
        del pictures
        decision = "commit to" if self.decision.action == "commit" else "refer; probably"
        return Overview(
            kind="What if",
            title=f"{decision} {self.label}" if self.label else "refer to a person",
            facts=(
                ("posterior", ", ".join(f"{label} {p:.1%}" for label, p in self.posterior.items())),
                ("prevalence", ", ".join(f"{label} {p:.1%}" for label, p in self.prevalence.items())),
                ("changed", "yes" if self.changes else "no"),
            ),
            lines=self.decision.reasons,
            warnings=self.warnings,
        )


class ShownSimilarCases(HasOverview, SimilarCases):
    """``SimilarCases`` with ``print`` and notebook output."""

    def _overview(self, *, pictures: bool) -> Overview:
        found = [(one, f"{one.label} {one.similarity:.3f}") for one in self.neighbours]
        return Overview(
            kind="Similar cases",
            title=f"{len(found)} like {Path(self.query).name or self.query}",
            facts=(("held as", self.held_as or ""),),
            lines=() if pictures else tuple(f"{line}  {one.source}" for one, line in found),
            tiles=tuple(Tile(case_thumbnail(one.path, one.case_id, side=192), line) for one, line in found)
            if pictures
            else (),
        )


def _plain(shown: RenderableType) -> str:
    out = io.StringIO()
    console = Console(file=out, width=PLAIN_WIDTH, color_system=None, legacy_windows=False, force_jupyter=False)
    console.print(shown)
    return legible(out.getvalue().rstrip(), getattr(sys.stdout, "encoding", None))


class ShownAttribution(Attribution):
    """An ``Attribution`` with ``print``, notebook output and pictures.

    Pictures are drawn over ``image``, or over the case's file if none is given, and raise ``ImageError`` if that cannot
    be opened.
    """

    @classmethod
    def of_attribution(cls, found: Attribution) -> Self:
        """Converts an attribution to one that displays itself."""
        return cls.model_validate(found, from_attributes=True)

    def overlay(self, agent: str, image: Path | Image.Image | None = None) -> Image.Image:
        """Returns the image with one agent's map over it, RGB. Raises ``UnknownPart`` for an agent without a map."""
        one = self.of(agent)
        if one is None:
            raise UnknownPart("agent with a map", agent, (known.agent for known in self.maps))
        return overlay(self._pixels(image), one, self.scale)

    def picture(self, image: Path | Image.Image | None = None) -> Image.Image:
        """Returns one RGB picture with the image, every agent's overlay and numbers, and the legend."""
        return sheet(self._pixels(image), self, _name(self.case))

    def _pixels(self, image: Path | Image.Image | None) -> Image.Image:
        if isinstance(image, Image.Image):
            return image.convert("RGB")
        if image is not None:
            return open_image(image, policy=shown_policy(), max_side=SIDE)
        if self.case.path is None:
            raise ImageError("missing", f"case {self.case.id[:12]} has no file to draw on: pass its image")
        return open_image(self.case.path, policy=shown_policy(), max_side=SIDE, sha256=self.case.id)

    def __str__(self) -> str:
        return legible("\n".join(self.lines), getattr(sys.stdout, "encoding", None))

    def __repr__(self) -> str:
        return f"<Attribution of {self.label!r} on {_name(self.case)}: {len(self.maps)} maps>"

    def _repr_html_(self) -> str | None:
        """Returns a card with the numbers where there is no picture to draw on."""
        if self._repr_png_() is not None:
            return None
        title = f"of {self.label} on {_name(self.case)}"
        return Overview("Attribution", title, lines=self.lines, notes=(self.method,)).html()

    def _repr_png_(self) -> bytes | None:
        try:
            picture = self.picture()
        except ImageError:
            return None  # the notebook shows the card
        out = io.BytesIO()
        picture.save(out, "PNG")
        return out.getvalue()


def _name(case: Case) -> str:
    return Path(case.source).name or case.id[:12]
