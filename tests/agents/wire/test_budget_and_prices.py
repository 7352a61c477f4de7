"""Money: nothing is spent beyond the limit, and the ledger says what was."""

import asyncio
from datetime import date
from importlib.metadata import version

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubleread.agents.wire.addresses import LITELLM
from doubleread.agents.wire.budget import Budget, Spending
from doubleread.agents.wire.faults import CallFault
from doubleread.agents.wire.prices import PriceTable, TokenPrice, cost, estimate, price_words
from doubleread.agents.wire.server_options import Server
from doubleread.core.opinion import Usage

PAID = Usage(input_tokens=100, output_tokens=10, calls=1, cost_usd=0.2)


def test_what_was_used_is_settled_and_the_rest_goes_back():
    budget = Budget(max_cost_usd=1.0)
    with budget.reserve("gpt", 0.9, model="m") as reservation:
        reservation.settle(PAID)
    assert budget.spent == Spending(calls=1, input_tokens=100, output_tokens=10, cost_usd=0.2)
    with budget.reserve("gpt", 0.8, model="m"):
        pass  # never sent
    assert budget.spent.calls == 1
    budget.reserve("gpt", 0.8, model="m")


def test_a_call_that_might_exceed_the_limit_is_not_made():
    budget = Budget(max_cost_usd=1.0)
    budget.reserve("gpt", 0.6, model="m")
    with pytest.raises(CallFault, match=r"raise budget\.max_cost_usd; what was answered is kept") as caught:
        budget.reserve("qwen", 0.6, model="m")
    assert caught.value.cause == "budget"
    assert caught.value.step == "stop"


def test_calls_are_counted_too():
    budget = Budget(max_calls=2)
    for _ in range(2):
        budget.reserve("gpt", None, model="m").settle(PAID)
    with pytest.raises(CallFault, match="2 calls are made"):
        budget.reserve("gpt", None, model="m")


def test_a_limit_in_money_needs_a_price():
    with pytest.raises(CallFault, match="no price is known for m"):
        Budget(max_cost_usd=1.0).reserve("gpt", None, model="m")


def test_the_ledger_tells_agents_apart():
    budget = Budget()
    budget.reserve("gpt", 0.1, model="m").settle(PAID)
    budget.reserve("local", None, model="m").settle(Usage(calls=1, cost_usd=None))
    budget.count_cached("gpt")
    assert budget.spent_by["gpt"].cached == 1
    assert budget.spent_by["local"].unpriced == 1
    assert budget.spent.calls == 2


@given(st.lists(st.tuples(st.floats(0.01, 0.5), st.floats(0, 1)), max_size=40), st.floats(0.1, 3))
def test_calls_side_by_side_never_spend_more_than_allowed(calls, limit):
    budget = Budget(max_cost_usd=limit)

    async def one(estimated, share):
        try:
            with budget.reserve("a", estimated, model="m") as reservation:
                await asyncio.sleep(0)
                reservation.settle(Usage(calls=1, cost_usd=estimated * share))
        except CallFault:
            pass

    async def all_of_them():
        await asyncio.gather(*(one(*call) for call in calls))

    asyncio.run(all_of_them())
    assert budget.spent.cost_usd <= limit + 1e-9


def test_prices_are_found_by_model_and_by_dated_snapshot_but_never_guessed():
    table = PriceTable()
    listed = table.of(Server(model="gpt-4o"))
    assert listed == table.of(Server(model="gpt-4o-2024-08-06"))
    assert 0 < listed.cached_input < listed.input < listed.output
    assert price_words(listed).endswith(f"list price of genai-prices {version('genai-prices')}")
    assert table.of(Server(model="gpt-4o-of-mine")) is None
    own = TokenPrice(input=0, output=0, as_of=date(2026, 11, 30))
    assert PriceTable({"gpt-4o": own}).of(Server(model="gpt-4o")) == own
    assert "as of 2026-11-30" in price_words(own)


@pytest.mark.parametrize(
    ("model", "address"),
    [
        ("gpt-4o", "http://localhost:8000/v1"),
        ("gpt-4o", "http://127.0.0.2:11434/v1"),
        ("gpt-4o", "http://192.168.1.5:8000/v1"),
        ("gpt-4o", "https://models.lab.example/v1"),
        ("ollama/llava", LITELLM),
        ("hosted_vllm/gpt-4o", LITELLM),
        ("lm_studio/gpt-4o", LITELLM),
    ],
)
def test_a_model_on_ones_own_server_is_never_priced_as_a_hosted_one(model, address):
    assert PriceTable().of(Server(model=model, base_url=address)) is None


def test_prices_through_litellm_are_those_of_the_provider_or_of_the_address_that_it_was_told(monkeypatch):
    def price(model):
        return PriceTable().of(Server(model=model, base_url=LITELLM))

    monkeypatch.delenv("OPENAI_API_BASE", raising=False)
    assert price("openai/gpt-4o") == price("gpt-4o") == PriceTable().of(Server(model="gpt-4o"))
    assert price("anthropic/claude-sonnet-4-5").output > 0
    monkeypatch.setenv("OPENAI_API_BASE", "http://localhost:8000/v1")
    assert price("openai/gpt-4o") is None


def test_the_cost_counts_cached_tokens_at_their_own_rate():
    price = TokenPrice(input=2.0, cached_input=0.5, output=10.0)
    usage = Usage(input_tokens=1_000_000, cached_tokens=400_000, output_tokens=100_000)
    assert cost(price, usage) == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.1 * 10)
    assert cost(TokenPrice(input=2, output=10), usage) == pytest.approx(3.0)


def test_the_estimate_is_not_below_what_a_call_can_cost():
    price = TokenPrice(input=2.5, output=10)
    real = Usage(input_tokens=765 + 600, output_tokens=300)
    assert estimate(price, chars=2400, images=1, max_tokens=300) >= cost(price, real)
