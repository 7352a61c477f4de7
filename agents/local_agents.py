"""Registry of the agents by name."""

from doubleread.core.registry import Registry

AGENTS = Registry(
    "agent",
    "doubleread.agents",
    {
        "zero-shot": "doubleread.agents.zero_shot:ZeroShot",
        "discriminant": "doubleread.agents.discriminant:Discriminant",
        "logistic": "doubleread.agents.logistic:Logistic",
        "neighbours": "doubleread.agents.neighbours:Neighbours",
        "texture": "doubleread.agents.texture:Texture",
    },
)
