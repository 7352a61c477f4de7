"""Registry of the agents by name."""

from doubleread.core.registry import PartRow, Registry

ANY_ENCODER = "any encoder"
"""Trait of agents that work on the embeddings of any encoder, as in ``discriminant@NAME``."""

AGENTS = Registry(
    "agent",
    "doubleread.agents",
    {
        "zero-shot": PartRow("doubleread.agents.zero_shot:ZeroShot", {ANY_ENCODER}),
        "discriminant": PartRow("doubleread.agents.discriminant:Discriminant", {ANY_ENCODER}),
        "logistic": PartRow("doubleread.agents.logistic:Logistic", {ANY_ENCODER}),
        "neighbours": "doubleread.agents.neighbours:Neighbours",
        "patches": "doubleread.agents.patches:PatchReader",
        "texture": "doubleread.agents.texture:Texture",
    },
)
