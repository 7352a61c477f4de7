"""doubleread: trustworthy visual diagnosis by a panel of agents.

import doubleread

dataset = doubleread.read_dataset("photos/")        # one sub-folder a label, or a manifest
panel = doubleread.Panel.fit(dataset.cases, dataset.task)
panel.save("panel")
print(panel.diagnose("new.jpg"))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from doubleread.core.lazy_modules import submodules

if TYPE_CHECKING:
    from doubleread.core.case import Case
    from doubleread.core.errors import DoublereadError
    from doubleread.core.evidence import Evidence
    from doubleread.core.notices import DoublereadWarning
    from doubleread.core.opinion import Abstention, Opinion
    from doubleread.core.progress import silent
    from doubleread.core.reading import Outcome
    from doubleread.core.task import Costs, Label, Task
    from doubleread.core.trust import TrustProfile
    from doubleread.core.verdict import Decision, Unread, Verdict
    from doubleread.evals.datasets import Dataset, read_dataset
    from doubleread.evals.panel_evaluation import evaluate_panel
    from doubleread.evals.stress import stress_panel
    from doubleread.panel import Panel
    from doubleread.settings import Settings, load_settings

__version__ = "0.1.0"

_HOME = {
    "Abstention": "doubleread.core.opinion",
    "Case": "doubleread.core.case",
    "Costs": "doubleread.core.task",
    "Dataset": "doubleread.evals.datasets",
    "Decision": "doubleread.core.verdict",
    "DoublereadError": "doubleread.core.errors",
    "DoublereadWarning": "doubleread.core.notices",
    "Evidence": "doubleread.core.evidence",
    "Label": "doubleread.core.task",
    "Opinion": "doubleread.core.opinion",
    "Outcome": "doubleread.core.reading",
    "Panel": "doubleread.panel",
    "Settings": "doubleread.settings",
    "Task": "doubleread.core.task",
    "TrustProfile": "doubleread.core.trust",
    "Unread": "doubleread.core.verdict",
    "Verdict": "doubleread.core.verdict",
    "evaluate_panel": "doubleread.evals.panel_evaluation",
    "load_settings": "doubleread.settings",
    "read_dataset": "doubleread.evals.datasets",
    "silent": "doubleread.core.progress",
    "stress_panel": "doubleread.evals.stress",
}


def __getattr__(name: str) -> Any:
    """Public names and modules load on first use, so that ``import doubleread`` is instant."""
    if name not in _HOME:
        return submodules(__name__)(name)
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])


__all__ = [
    "Abstention",
    "Case",
    "Costs",
    "Dataset",
    "Decision",
    "DoublereadError",
    "DoublereadWarning",
    "Evidence",
    "Label",
    "Opinion",
    "Outcome",
    "Panel",
    "Settings",
    "Task",
    "TrustProfile",
    "Unread",
    "Verdict",
    "evaluate_panel",
    "load_settings",
    "read_dataset",
    "silent",
    "stress_panel",
]
