"""Fusion rules: combine a panel's calibrated opinions into one posterior."""

from doubleread.core.ports import FusionRule
from doubleread.core.registry import PartRow, Registry
from doubleread.core.types import Json

_HERE = "doubleread.orchestrator.fusion"
PRIOR = "prior"
"""Trait of rules that lower a label's probability with its prevalence."""

FUSION_RULES = Registry(
    "fusion rule",
    "doubleread.fusion_rules",
    {
        "panel-mean": PartRow(f"{_HERE}.panel_mean:PanelMean", {PRIOR}),
        "log-pool": PartRow(f"{_HERE}.log_pool:LogPool", {PRIOR}),
        "confusion-bayes": PartRow(f"{_HERE}.confusion_bayes:ConfusionBayes", {PRIOR}),
        "stacking": PartRow(f"{_HERE}.stacking:Stacking", {PRIOR}),
        "majority": f"{_HERE}.votes:Majority",
        "confidence-weighted": f"{_HERE}.votes:ConfidenceWeighted",
        "ece-weighted": f"{_HERE}.votes:EceWeighted",
    },
)


def restore_rule(params: Json) -> FusionRule:
    """Restores the rule with these ``params()``; raises ``UnknownPart`` for a ``kind`` not in the registry."""
    rule: FusionRule = FUSION_RULES.get(str(params.get("kind"))).from_params(params)
    return rule


__all__ = ["FUSION_RULES", "PRIOR", "restore_rule"]
