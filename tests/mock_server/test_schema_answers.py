"""An invented answer fits the schema that was sent, or the schema is refused."""

import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doubleread.mock_server._schema_values import FORMATS
from doubleread.mock_server.asked import Refused
from doubleread.mock_server.schema_answers import answer_for

HINTS = {"findings": "round spots", "label": "rust", "confidence": 0.8, "probabilities": {"rust": 0.8, "scab": 0.2}}
NODE = {
    "type": "object",
    "properties": {
        "value": {"type": "integer"},
        "left": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
        "right": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
        "others": {"type": "array", "items": {"$ref": "#/$defs/node"}},
    },
    "required": ["value", "left", "right", "others"],
    "additionalProperties": False,
}
FITTING = {
    "anything": {},
    "a tree": {"$ref": "#/$defs/node", "$defs": {"node": NODE}},
    "itself": {"type": "object", "properties": {"again": {"$ref": "#"}}},
    "bounds": {
        "type": "object",
        "properties": {
            "a": {"type": "integer", "exclusiveMinimum": 3, "multipleOf": 4},
            "b": {"type": "number", "minimum": -2.5, "exclusiveMaximum": -2},
            "c": {"type": "integer", "maximum": -7},
            "d": {"type": ["null", "string"], "minLength": 9},
            "e": {"type": "array", "items": {"type": "boolean"}, "minItems": 3, "maxItems": 3},
            "f": {"const": None},
        },
        "required": ["a", "b", "c", "d", "e", "f", "g"],
    },
    "formats": {"type": "object", "properties": {name: {"type": "string", "format": name} for name in FORMATS}},
}
UNFIT = {
    "a list": {"type": "array", "items": {}},
    "negation": {"type": "object", "not": {}},
    "a pattern": {"type": "object", "properties": {"a": {"type": "string", "pattern": "^a$"}}, "required": ["a"]},
    "a contradiction": {"type": "object", "required": ["a"], "additionalProperties": False},
    "no number": {
        "type": "object",
        "properties": {"a": {"type": "integer", "minimum": 2, "maximum": 1}},
        "required": ["a"],
    },
    "no option": {"type": "object", "properties": {"a": {"type": "string", "enum": [1]}}, "required": ["a"]},
    "without end": {
        "type": "object",
        "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}},
        "required": ["a", "b"],
    },
    "nowhere": {"$ref": "#/$defs/none"},
    "elsewhere": {"$ref": "https://example.com/schema"},
    "huge": {"type": "object", "properties": {"a": {"type": "array", "minItems": 10**9}}, "required": ["a"]},
    "long": {"type": "object", "properties": {"a": {"type": "string", "minLength": 10**12}}, "required": ["a"]},
    "no schema": {"type": 3},
    "an unknown type": {"type": "thing"},
}


def test_an_answer_says_what_it_would_say_in_the_words_of_the_schema():
    shares = {"type": "object", "properties": {"scab": {"type": "number"}, "rust": {"type": "number"}}}
    ours = {"type": "object", "properties": {"findings": {"type": "string"}, "probabilities": shares}}
    assert answer_for(ours, HINTS, "rust") == {"findings": "round spots", "probabilities": {"scab": 0.2, "rust": 0.8}}
    theirs = {"type": "object", "properties": {"diagnosis": {"enum": ["scab", "rust"]}, "label": {"type": "integer"}}}
    assert answer_for(theirs, HINTS, "rust") == {"diagnosis": "rust", "label": 0}


@pytest.mark.parametrize("name", FITTING)
def test_it_fits(name):
    answer = answer_for(FITTING[name], HINTS, "rust") if name != "anything" else answer_for({"type": "object"}, {}, "")
    jsonschema.validate(answer, FITTING[name])


@pytest.mark.parametrize("name", UNFIT)
def test_what_cannot_be_fitted_is_refused(name):
    with pytest.raises(Refused, match="Invalid schema"):
        answer_for(UNFIT[name], HINTS, "rust")


NAMES = st.sampled_from(["label", "findings", "confidence", "a", "b"])
LEAVES = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={
            "minimum": st.integers(-20, 20) | st.floats(-20, 20),
            "maximum": st.integers(-20, 20) | st.floats(-20, 20),
            "exclusiveMinimum": st.integers(-20, 20),
            "exclusiveMaximum": st.integers(-20, 20),
            "multipleOf": st.integers(1, 9),
        },
    ),
    st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={
            "minLength": st.integers(0, 9),
            "maxLength": st.integers(0, 9),
            "enum": st.lists(st.text(max_size=3) | st.integers(), min_size=1, max_size=3),
        },
    ),
    st.fixed_dictionaries({"type": st.sampled_from(["boolean", "null", "string", "object", "array"])}),
    st.fixed_dictionaries({"const": st.booleans() | st.integers() | st.text(max_size=3)}),
    st.booleans(),
    st.just({}),
)


def wider(some):
    return st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("array") | st.just(["null", "array"])},
            optional={"items": some, "minItems": st.integers(0, 3), "maxItems": st.integers(0, 3)},
        ),
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(NAMES, some, max_size=3)},
            optional={"required": st.lists(NAMES, unique=True, max_size=3), "additionalProperties": st.booleans()},
        ),
        st.fixed_dictionaries({"anyOf": st.lists(some, min_size=1, max_size=3)}),
    )


@settings(max_examples=500, deadline=None)
@given(st.recursive(LEAVES, wider, max_leaves=12))
def test_any_schema_is_fitted_or_refused(part):
    schema = {"type": "object", "properties": {"part": part}, "required": ["part"]}
    try:
        answer = answer_for(schema, HINTS, "rust")
    except Refused:
        return
    jsonschema.validate(json.loads(json.dumps(answer)), schema)
