"""The ledger counts what a server counts, whatever goes wrong, and charges what can be believed."""

import asyncio
import json
import time

import pytest
from kit import case_of
from models_kit import LEAVES, vlm, wire

from doubleread.agents.wire.answers import AnswerCache
from doubleread.agents.wire.budget import Budget
from doubleread.agents.wire.faults import CallFault
from doubleread.agents.wire.prices import TokenPrice, charged, estimate_of
from doubleread.agents.wire.request import Completion, Request
from doubleread.agents.wire.server_options import Server
from doubleread.core.opinion import Usage
from doubleread.mock_server import Fault, MockReply, running
from doubleread.mock_server.injected_faults import FAULTS

PRICE = TokenPrice(input=10, output=100)


def question(seed=0):
    return Request(model="m", messages=({"role": "user", "content": "which?"},), max_tokens=100, extra={"seed": seed})


EXPECTED = estimate_of(PRICE, question())


def server(mock, **changes):
    return Server(**{"model": "m", "base_url": mock.base_url, "price": PRICE, "attempts": 1, **changes})


async def asked(line, server, n=1, give_up_s=None):
    """What becomes of so many questions at once, who are given up after a while."""

    async def one(seed):
        async with asyncio.timeout(give_up_s):
            return await line.ask(server, "gpt", question(seed), lambda completion: None)

    return await asyncio.gather(*(one(seed) for seed in range(n)), return_exceptions=True)


def settled(mock, budget):
    """Waits until the server has counted all that is on its way to it."""
    until = time.monotonic() + 30
    while len(mock.server.requests) != budget.spent.calls and time.monotonic() < until:
        time.sleep(0.01)
    return len(mock.server.requests)


@pytest.mark.parametrize(
    "patience", [{"deadline_s": 1.0}, {"attempt_timeout_s": 1.0}, {"give_up_s": 1.0}, {"close": True}]
)
def test_calls_that_are_given_up_are_counted_and_charged_at_their_estimate(patience):
    budget = Budget(max_calls=3)
    give_up_s, close = patience.pop("give_up_s", None), patience.pop("close", False)
    with running(otherwise=MockReply(text="yes", delay_s=30)) as mock, wire(budget=budget) as line:
        for _ in range(2):
            if close:

                async def closed():
                    task = asyncio.ensure_future(asked(line, server(mock), 6))
                    await asyncio.sleep(1.0)
                    await asyncio.to_thread(line.close)
                    return await task

                found = asyncio.run(closed())
            else:
                found = asyncio.run(asked(line, server(mock, **patience), 6, give_up_s))
            assert all(isinstance(one, BaseException) for one in found)
        assert settled(mock, budget) == budget.spent.calls == 3
    assert budget.spent.cost_usd == pytest.approx(3 * EXPECTED)


@pytest.mark.parametrize("name", FAULTS)
def test_the_ledger_is_the_servers_own_count_in_every_fault(name):
    budget = Budget(max_calls=4)
    patience = {"attempts": 2, "attempt_timeout_s": 0.5, "deadline_s": 20}
    with running(otherwise=Fault(name)) as mock, wire(budget=budget) as line:
        asyncio.run(asked(line, server(mock, **patience), 3))
        assert 1 <= settled(mock, budget) == budget.spent.calls <= 4
    assert 0 <= budget.spent.cost_usd <= 4 * EXPECTED + 1e-9


def test_questions_without_a_feature_are_calls_too():
    budget = Budget()
    with running(otherwise=MockReply(text="yes"), without=("temperature",)) as mock, wire(budget=budget) as line:
        [answered] = asyncio.run(asked(line, server(mock)))
    assert len(mock.server.requests) == budget.spent.calls == answered.completion.usage.calls == 2
    assert budget.spent.cost_usd == pytest.approx((100 * 10 + 20 * 100) / 1e6)


def test_nothing_is_counted_where_nothing_was_sent():
    budget = Budget(max_cost_usd=1, max_calls=1)
    with wire(budget=budget) as line:
        nowhere = Server(model="m", base_url="http://127.0.0.1:9/v1", price=PRICE, attempts=1)
        [fault] = asyncio.run(asked(line, nowhere))
    assert fault.cause == "network"
    assert (budget.spent.calls, budget.spent.cost_usd, fault.usage.calls) == (0, 0, 0)
    budget.reserve("gpt", 1.0, model="m")


def test_what_was_turned_away_costs_nothing_and_what_broke_costs_its_estimate():
    for fault, cost in (("bad-request", 0.0), ("server-error", EXPECTED), ("disconnect", EXPECTED), ("html", EXPECTED)):
        budget = Budget()
        with running(otherwise=Fault(fault)) as mock, wire(budget=budget) as line:
            [failed] = asyncio.run(asked(line, server(mock)))
        assert budget.spent.cost_usd == failed.usage.cost_usd == pytest.approx(cost)


@pytest.mark.parametrize("name", ["infinite-usage", "negative-usage", "absurd-usage"])
def test_an_answer_with_counts_that_cannot_be_is_used_kept_and_charged_at_its_estimate(name):
    budget = Budget()
    with running([Fault(name)]) as mock, wire(budget=budget) as line:
        [first], [again] = (asyncio.run(asked(line, server(mock))) for _ in range(2))
    assert first.completion.text == again.completion.text
    assert again.cached
    assert first.completion.usage == Usage(calls=1, cost_usd=EXPECTED)
    assert (budget.spent.calls, budget.spent.cost_usd) == (1, pytest.approx(EXPECTED))


@pytest.mark.parametrize(
    ("tokens", "believed"), [((100, 20), True), ((0, 0), False), ((10**6, 20), False), ((100, 10**6), False)]
)
def test_more_tokens_than_a_question_can_have_are_not_believed(tokens, believed):
    usage = Usage(input_tokens=tokens[0], output_tokens=tokens[1], calls=1)
    found = charged(usage, PRICE, question())
    assert (found.input_tokens == tokens[0] and found.cost_usd != EXPECTED) == believed
    assert found.cost_usd == pytest.approx((100 * 10 + 20 * 100) / 1e6 if believed else EXPECTED)
    assert charged(usage, None, question()).cost_usd is None


@pytest.mark.parametrize("price", [float("nan"), float("inf"), -1, 1e300])
def test_a_price_is_a_number_of_dollars(price):
    with pytest.raises(ValueError, match="input"):
        TokenPrice(input=price, output=1)


def test_no_settlement_makes_the_ledger_negative_or_odd():
    budget = Budget()
    for cost in (float("nan"), float("inf"), -1.0):
        with budget.reserve("gpt", 0.5, model="m") as reservation:
            reservation.sent()
            reservation.settle(Usage.model_construct(calls=1, cost_usd=cost))
    assert (budget.spent.calls, budget.spent.cost_usd) == (3, 1.5)


def test_a_call_is_in_the_ledger_while_it_is_under_way_and_stays_there_after_an_interrupt():
    budget = Budget()
    reservation = budget.reserve("gpt", 0.5, model="m")
    assert budget.spent.calls == 0
    reservation.sent()
    assert (budget.spent.calls, budget.spent.cost_usd, budget.spent_by["gpt"].calls) == (1, 0.5, 1)
    reservation.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert (budget.spent.calls, budget.spent.cost_usd) == (1, 0.5)


async def test_who_asks_while_a_call_is_being_cancelled_gets_an_answer():
    cache, begun = AnswerCache(None), asyncio.Event()

    async def slow():
        begun.set()
        await asyncio.sleep(30)
        return Completion(text="late")

    async def quick():
        return Completion(text="yes")

    first = asyncio.ensure_future(cache.get_or_call("k", slow))
    await begun.wait()
    first.cancel()
    await asyncio.sleep(0)  # the call is being cancelled, and has not ended
    assert (await cache.get_or_call("k", quick)).completion.text == "yes"
    cache.close()


async def test_of_several_who_wait_for_a_call_that_fails_one_pays():
    budget = Budget()
    with running(otherwise=Fault("server-error")) as mock, wire(budget=budget) as line:
        asks = (line.ask(server(mock), "gpt", question(), lambda completion: None) for _ in range(3))
        faults = await asyncio.gather(*asks, return_exceptions=True)
    assert [isinstance(one, CallFault) for one in faults] == [True] * 3
    assert sum(one.usage.calls for one in faults) == len(mock.server.requests) == budget.spent.calls == 1


async def test_an_agent_says_what_its_abstention_cost():
    budget = Budget()
    with running(otherwise=MockReply(text=json.dumps({"label": LEAVES.names[0]}))) as mock, wire(budget=budget) as line:
        answer = await vlm(mock.base_url, line, price=PRICE).read(case_of("a"))
        good = await vlm(mock.base_url, line, price=PRICE).read(case_of("b"))
    assert answer.usage.calls == 2
    assert budget.spent.calls == len(mock.server.requests) == answer.usage.calls + good.usage.calls
