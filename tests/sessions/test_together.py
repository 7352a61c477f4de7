"""A session gives one verdict to images of one subject; what has no verdict counts against it."""

import pytest
from kit import photo

from doubleread.core.case import Case
from doubleread.sessions.record import Bars, Table
from doubleread.sessions.standing import CaseSeen, Standing
from doubleread.sessions.talk import answer


@pytest.fixture(scope="module")
def standing(panel, tmp_path_factory):
    """Two red pictures with a verdict, and one that could not be diagnosed."""
    folder = tmp_path_factory.mktemp("together")
    cases = [Case.from_file(photo(folder / f"red-{i}.png", 2, seed=88_000 + i)) for i in range(3)]
    seen = {
        one.id: CaseSeen(one, one.path.name, (panel.diagnose(one),) if i < 2 else ()) for i, one in enumerate(cases)
    }
    return Standing(panel, seen, cases[0].id, {})


def parts(answered, kind):
    return [block for block in answered.reply.blocks if isinstance(block, kind)]


async def test_named_images_get_the_verdict_that_the_panel_pools(standing, panel):
    answered = await answer("/together red-0, red-1", standing)
    verdicts = [seen.verdicts[-1] for seen in standing.cases.values() if seen.verdicts]
    (bars,) = parts(answered, Bars)
    assert bars.shares == panel.pool(verdicts).posterior
    assert answered.orders == ()


@pytest.mark.parametrize("text", ["/together", "/together all", "they show the same plant", "take them together"])
async def test_all_images_are_taken_and_one_without_a_verdict_is_counted(text, standing, panel):
    answered = await answer(text, standing)
    (table,) = parts(answered, Table)
    assert [row[0] for row in table.rows] == ["red-0.png", "red-1.png", "red-2.png"]
    assert table.rows[2][1:3] == ("not read", "not counted")
    two = parts(await answer("/together 1, 2", standing), Bars)[0].shares
    assert parts(answered, Bars)[0].shares["red"] < two["red"]


@pytest.mark.parametrize("text", ["/together red-0", "/together red-0, nothing"])
async def test_fewer_than_two_known_images_are_no_subject(text, standing):
    answered = await answer(text, standing)
    assert parts(answered, Bars) == []
    assert answered.reply.suggestions
