"""The stored cases that are most like the image."""

from doubleread.sessions.actions.facts import current, said
from doubleread.sessions.intent import Intent
from doubleread.sessions.names import Unclear
from doubleread.sessions.record import Cases
from doubleread.sessions.standing import Answered, Standing

SHOWN = 6


async def similar(intent: Intent, standing: Standing) -> Answered:
    """The nearest cases, of one label where one is named; never the image itself, nor its group."""
    seen, n = current(standing), intent.count or SHOWN
    labels = [intent.label] if intent.label else list(standing.panel.task.names)
    found = await standing.panel.nearest(seen.case, labels, n)
    nearest = sorted(found, key=lambda one: -one.similarity)[:n]
    of = f" of {intent.label}" if intent.label else ""
    if not nearest:
        raise Unclear(f"the archive holds no case{of} that may be shown beside {seen.name}")
    fewer = f"; the archive has no more{of}" if len(nearest) < n else ""
    line = f"the {len(nearest)} stored cases{of} that are most like {seen.name}, by cosine similarity{fewer}"
    others = [name for name in standing.panel.task.names if name != intent.label]
    return said((line,), Cases(cases=tuple(nearest)), suggestions=[f"/similar {name}" for name in others[:2]])
