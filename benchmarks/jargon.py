"""Counts kinds of jargon in a text: terms of machine learning and statistics, and names of agents."""

import re
from collections.abc import Iterable

from doubleread.core.glossary import Term, find

AGENTS = (
    "logistic", "prototype", "neighbours", "linear probe", "zero-shot", "CLIP", "SigLIP", "DINO", "DINOv2",
    "discriminant", "texture", "reasoner", "adapted CLIP", "VLM", "vision-language model",
)  # fmt: skip
"""Names of agents and models; the glossary explains them under "agent"."""
_TERMS: dict[str, str] = {
    "agent": "agents?",
    "panel": "panels?",
    "ensemble": "ensembles?",
    "fusion": "fus(?:ion|ed|es)",
    "stacking": "stacking",
    "log-linear pool": "log(?:-linear)? pool(?:s|ing)?",
    "calibrated": "(?:un)?calibrat(?:ed|ion)(?! images?| cases?)",
    "calibration images": "calibration (?:images?|cases?)",
    "held-out": "held[- ]out",
    "cross-validation": "cross-(?:validat(?:ed|ion)|fit(?:ted|ting)?)",
    "posterior": "posteriors?",
    "prior": "priors?",
    "prevalence": "prevalences?",
    "likelihood": "likelihoods?",
    "log-loss": "log-loss|NLL",
    "Brier score": "Brier",
    "ECE": "ECE|calibration error",
    "chance level": "chance level|sampling floor",
    "overconfidence rate": "OCR|overconfidence",
    "CCC": "CCC|concordance",
    "confusion matrix": "confusion matri(?:x|ces)",
    "macro F1": "(?:macro[- ])?F1",
    "AUROC": "AUROC|AUC|ROC",
    "AURC": "AURC",
    "p-value": "p-values?",
    "confidence interval": "confidence intervals?|Wilson",
    "prediction set": "prediction sets?|cannot be ruled out",
    "coverage": "coverage",
    "conformal": "conformal|conformity",
    "in set": "in set",
    "commit": "commit(?:s|ted|ment|ments|ting)?",
    "refer": "refer(?:s|red|ral|rals|ring)?",
    "expected cost": "expected costs?",
    "track record": "track records?",
    "influence": "influence",
    "Shapley": "Shapley",
    "total variation": "total variation",
    "second look": "second looks?",
    "gate": "gates?",
    "abstention": "abst(?:ain|ains|ained|ention|entions)",
    "unfamiliar": "(?:un)?familiar(?:ity)?|unlike the calibration images",
    "out-of-distribution": "OOD|out[- ]of[- ]distribution",
    "embedding": "embeddings?",
    "encoder": "encoders?",
    "feature space": "feature spaces?",
    "cosine similarity": "cosine",
    "similar cases": "similar (?:labelled )?(?:cases|images)|similarity",
    "retrieval": "retrieval|RAG",
    "nearest neighbour": "nearest neighbours?|kNN|k-NN",
    "evidence": "evidence",
    "attribution": "attribution|saliency",
    "logit": "logits?",
    "softmax": "softmax",
    "temperature scaling": "temperature scaling",
    "regularisation": "regulari[sz]ation",
    "hyperparameter": "hyperparameters?",
    "bootstrap": "bootstrap",
    "fine-tuning": "fine-tun(?:e|ed|ing)",
    "inference": "inference",
    "token": "tokens?",
    "group": "groups?",
    "exchangeable": "exchangeable|exchangeability",
}
JARGON: dict[str, re.Pattern[str]] = {
    name: re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE)
    for name, pattern in (*_TERMS.items(), *((name, re.escape(name)) for name in AGENTS))
}
"""What each kind of jargon looks like in a text."""


def kinds(texts: Iterable[str]) -> tuple[str, ...]:
    """Returns the kinds of jargon that the texts use."""
    text = "\n".join(texts)
    return tuple(name for name, pattern in JARGON.items() if pattern.search(text))


def explanation(kind: str) -> Term | None:
    """Returns the entry of the glossary that explains a kind of jargon; None if there is none."""
    return find("agent" if kind in AGENTS else kind)
