"""Whatever a body holds, it becomes an answer or a fault: valid bodies with odd values in every place."""

import copy
import json
import math

import pytest
from models_kit import KEY, LEAVES

from doubleread.agents.vlm._forms import FORMS
from doubleread.agents.wire.answers import AnswerCache
from doubleread.agents.wire.faults import CallFault, harmless, masked
from doubleread.agents.wire.refusals import error_of, fault_of_status
from doubleread.agents.wire.reply import completion_of, usage_of
from doubleread.agents.wire.request import Completion
from doubleread.agents.wire.values import parsed
from doubleread.core.opinion import Opinion
from doubleread.mock_server.mock_reply import MockReply, chat_body, decisions_body, error_body

ORDER = ("scab", "healthy", "rust")
TEXT = '{"findings": "spots", "probabilities": {"rust": 0.7, "scab": 0.2, "healthy": 0.1}, "label": "rust"}'
NUMBER = '{"findings": "spots", "label": "rust", "confidence": 0.7}'
LOGPROBS = ((("A", -0.1), ("B", -3.0)), (("C", -0.2),))
SHARES = {"rust": 0.6, "scab": 0.3, "healthy": 0.1}
BODIES = {
    "verbalized-distribution": chat_body(MockReply(text=TEXT, tool_calls=(("why", {"arguments": "rust"}),))),
    "verbalized": chat_body(MockReply(text=NUMBER)),
    "logprobs": chat_body(MockReply(text="A", logprobs=LOGPROBS)),
    "class-probabilities": decisions_body(MockReply(probabilities=SHARES)),
}
RAW = {
    "1e999": "1e999",
    "-1e999": "-1e999",
    "nan": "NaN",
    "minus infinity": "-Infinity",
    "400 digits": "9" * 400,
    "10,000 digits": "9" * 10_000,
    "1e308": "1e308",
    "negative": "-1",
    "deep": "[" * 90 + "]" * 90,
    "too deep": "[" * 100_000 + "]" * 100_000,
}
ODD = [
    None,
    True,
    False,
    0,
    1.5,
    "",
    "²",
    "12",
    "1e999",
    "\ud800",
    "\x00",
    "x" * 10_000,
    [],
    [[]],
    [None],
    {},
    {"a": 1},
]


def places(node, path=()):
    yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def changed(body, path, value):
    if not path:
        return value
    body = copy.deepcopy(body)
    node = body
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return body


def mutations(body):
    for path in places(body):
        for value in ODD:
            yield json.dumps(changed(body, path, value))
        marked = json.dumps(changed(body, path, "HERE"))
        yield from (marked.replace('"HERE"', raw) for raw in RAW.values())


def usable(form, text):
    """Whether there was an answer, which then could be sent, stored and used."""
    try:
        completion = completion_of(parsed(text.encode()), "req-1")
    except CallFault as fault:
        return not str(fault).isprintable()
    assert Completion.model_validate_json(completion.model_dump_json()) == completion
    assert min(completion.usage.input_tokens, completion.usage.output_tokens, completion.usage.cached_tokens) >= 0
    try:
        reading = form.read(completion, LEAVES, ORDER)
    except CallFault:
        return False
    assert 0 <= reading.confidence <= 1
    if reading.vector is not None:
        opinion = Opinion.from_vector("a", LEAVES, reading.vector, form.source, reason=reading.findings)
        assert all(0 <= p <= 1 for p in opinion.probabilities.values())
        opinion.model_dump_json()
    return True


@pytest.mark.parametrize("kind", BODIES)
def test_odd_values_in_every_place_of_a_body_make_an_answer_or_a_fault(kind):
    form = FORMS[kind]()
    assert usable(form, json.dumps(BODIES[kind]))
    outcomes = [usable(form, text) for text in mutations(BODIES[kind])]
    assert len(outcomes) > 500
    assert {True, False} <= set(outcomes)


@pytest.mark.parametrize("kind", ["verbalized-distribution", "verbalized"])
def test_odd_values_in_every_place_of_the_models_own_json_do_too(kind):
    form, body = FORMS[kind](), BODIES[kind]
    answer = json.loads(body["choices"][0]["message"]["content"])
    outcomes = [usable(form, json.dumps(chat_body(MockReply(text=text)))) for text in mutations(answer)]
    assert {True, False} <= set(outcomes)


def test_odd_values_in_every_place_of_an_error_make_a_fault():
    for text in mutations(error_body("no", "c", "p")):
        for status in (400, 429, 500):
            assert fault_of_status(status, error_of(text.encode())).detail.startswith(f"HTTP {status}")


@pytest.mark.parametrize("change", ["utf-16", "utf-16-le", "utf-32", "latin-1", "utf-8-sig"])
def test_text_in_other_encodings_makes_an_answer_or_a_fault(change):
    text = json.dumps(chat_body(MockReply(text="brûlé")), ensure_ascii=False)
    if change == "utf-8-sig":
        assert completion_of(parsed(text.encode(change))).text == "brûlé"
    else:
        with pytest.raises(CallFault, match="not JSON"):
            parsed(text.encode(change))
    for cut in range(1, 300, 7):
        with pytest.raises(CallFault):
            completion_of(parsed(text.encode()[:cut]))


def test_no_more_is_looked_at_than_can_be_meant():
    many = MockReply(tool_calls=(("why", {"arguments": "x" * 100_000}),) * 1000)
    calls = completion_of(chat_body(many)).tool_calls
    assert len(calls) == 16
    assert max(len(call.arguments) for call in calls) == 20_000
    tokens = completion_of(chat_body(MockReply(text="A", logprobs=((("A", -0.1),) * 30,) * 4200))).tokens
    assert (len(tokens), max(map(len, tokens))) == (4096, 21)
    with pytest.raises(CallFault, match="600,000 characters"):
        completion_of(chat_body(MockReply(text="x" * 600_000)))
    with pytest.raises(CallFault, match="too many parts"):
        parsed(b"[" + b"[]," * 500_000 + b"[]]")


def test_the_largest_answer_that_can_be_asked_for_is_read():
    row = tuple((f"token {i}", -12.3456789) for i in range(20))
    content = json.dumps(chat_body(MockReply(text="A", logprobs=(row,) * 4096)), separators=(",", ":")).encode()
    assert len(content) < 8_000_000
    assert len(completion_of(parsed(content)).tokens) == 4096


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [],
        {},
        {"prompt_tokens": math.inf, "completion_tokens": 1},
        {"prompt_tokens": math.nan, "completion_tokens": 1},
        {"prompt_tokens": -1, "completion_tokens": 1},
        {"prompt_tokens": True, "completion_tokens": 1},
        {"prompt_tokens": "100", "completion_tokens": 1},
        {"prompt_tokens": 10**400, "completion_tokens": 1},
        {"prompt_tokens": 100, "completion_tokens": 1e300},
        {"prompt_tokens": 100.5, "completion_tokens": 1},
        {"prompt_tokens": 100},
    ],
)
def test_counts_that_cannot_be_are_not_counted(usage):
    assert usage_of(usage).input_tokens == usage_of(usage).output_tokens == 0
    assert usage_of(usage).calls == 1


def test_an_answer_with_characters_that_cannot_be_stored_is_stored(tmp_path):
    cache = AnswerCache(tmp_path / "answers.sqlite")
    cache.put("k", completion_of(chat_body(MockReply(text="a \ud800 \x00 b"))))
    assert cache.get("k").text == "a \N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER} b"
    cache.close()


@pytest.mark.parametrize(
    "echo",
    [
        KEY,
        KEY.upper(),
        "sk%2Dtest%2D0123456789abcdef",
        "".join(f"%{ord(c):02X}" for c in KEY),
        KEY[:9] + "\n  " + KEY[9:],
        " ".join(KEY),
        "c2stdGVzdC0wMTIzNDU2Nzg5YWJjZGVm",
        "QmVhcmVyIHNrLXRlc3QtMDEyMzQ1Njc4OWFiY2RlZg==",
        KEY.encode().hex(),
    ],
)
def test_a_key_that_a_server_repeats_is_taken_out_however_it_is_written(echo):
    error = {"message": f"wrong key ({echo}) given"}
    said = [fault_of_status(401, error, echo, [KEY]), completion_of(chat_body(MockReply(text=echo)), echo, [KEY])]
    with pytest.raises(CallFault) as refused:
        completion_of(chat_body(MockReply(refusal=f"not with {echo}")), echo, [KEY])
    with pytest.raises(CallFault) as gateway:
        completion_of({"error": error}, None, [KEY])
    for one in (*said, refused.value, gateway.value):
        told = f"{getattr(one, 'detail', '')} {getattr(one, 'text', '')} {one.request_id}"
        assert "…" in told
        assert "0123456789" not in told.replace(" ", "").replace("\n", "")
        assert echo not in told


def test_a_short_key_is_a_word_and_changes_no_answer():
    assert masked("the field is EMPTY", ["EMPTY"]) == "the field is EMPTY"
    assert harmless("the key EMPTY is wrong", ["EMPTY"]) == "the key … is wrong"
