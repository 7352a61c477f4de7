"""What LiteLLM expects of the mock server. Arguments: its address, a key, the data URL of a photo, the label."""

import json
import sys

import litellm

URL, KEY, PHOTO, LABEL = sys.argv[1:]
SERVER = {"model": "openai/mock-1", "api_base": URL, "api_key": KEY, "num_retries": 0, "max_retries": 0}
PARTS = [{"type": "text", "text": "Which?"}, {"type": "image_url", "image_url": {"url": PHOTO}}]
MESSAGES = [{"role": "user", "content": PARTS}]
SCHEMA = {
    "type": "object",
    "properties": {"hue": {"type": "string", "enum": ["blue", "green", "red"]}},
    "required": ["hue"],
    "additionalProperties": False,
}


def refused(kind, **changed):
    try:
        litellm.completion(**{**SERVER, "messages": MESSAGES, **changed})
    except kind:
        return True
    return False


def held():
    whole = litellm.completion(**SERVER, messages=MESSAGES, n=2)
    yield "n", len(whole.choices) == 2 and LABEL in whole.choices[1].message.content
    chunks = list(litellm.completion(**SERVER, messages=MESSAGES, stream=True, stream_options={"include_usage": True}))
    text = "".join(one.choices[0].delta.content or "" for one in chunks if one.choices)
    yield "stream", text == whole.choices[0].message.content
    cut = litellm.completion(**SERVER, messages=MESSAGES, max_tokens=3)
    yield "limit", (cut.choices[0].finish_reason, cut.usage.completion_tokens) == ("length", 3)
    form = {"type": "json_schema", "json_schema": {"name": "hue", "strict": True, "schema": SCHEMA}}
    filled = litellm.completion(**SERVER, messages=MESSAGES, response_format=form)
    yield "schema", json.loads(filled.choices[0].message.content) == {"hue": LABEL}
    tools = [{"type": "function", "function": {"name": "note", "parameters": SCHEMA}}]
    called = litellm.completion(**SERVER, messages=MESSAGES, tools=tools, tool_choice="required")
    yield "tools", json.loads(called.choices[0].message.tool_calls[0].function.arguments) == {"hue": LABEL}
    said = litellm.responses(**SERVER, input="hello")
    yield "responses", said.status == "completed"
    yield "model", refused(litellm.NotFoundError, model="openai/other")
    yield "key", refused(litellm.AuthenticationError, api_key="wrong")
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}]}]
    yield "image", refused(litellm.BadRequestError, messages=image)


failed = [name for name, holds in held() if not holds]
sys.exit(f"did not hold: {failed}" if failed else 0)
