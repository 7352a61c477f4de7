"""What a request asks for, by whichever API it came, and why a request is refused."""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from doubleread.core.types import Json

Form = Literal["text", "json_object", "json_schema"]
_Model = TypeVar("_Model", bound=BaseModel)
_TEXTS = ("text", "input_text", "output_text")
_DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,", re.IGNORECASE)


class Refused(Exception):
    """The server does not answer a request; the fields are those of OpenAI's error object."""

    def __init__(self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        self.message, self.status, self.param, self.code = message, status, param, code
        super().__init__(message)


class Fields(BaseModel):
    """Fields of a request that have to be right; others are ignored."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class RequestBody(Fields):
    """The fields that all APIs share."""

    model: str = Field(min_length=1)
    stream: bool | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None


@dataclass(frozen=True)
class Tool:
    """A function that the answer must call, with the schema of its arguments."""

    name: str
    parameters: Json


@dataclass(frozen=True)
class Question:
    """A question of the decisions API or System One; ``options`` are its choices or levels."""

    kind: str
    name: str | None
    options: tuple[str | bool, ...] = ()


@dataclass(frozen=True)
class ParsedRequest:
    """A request that can be answered. ``logprobs`` is the number of alternatives for each token, if they are wanted."""

    model: str
    text: str = ""
    images: tuple[bytes, ...] = ()
    form: Form = "text"
    schema: Json | None = None
    tool: Tool | None = None
    logprobs: int | None = None
    limit: int | None = None
    n: int = 1
    stream: bool = False
    include_usage: bool = False
    questions: tuple[Question, ...] = ()


def checked(kind: type[_Model], body: Json) -> _Model:
    """Returns the body as a record; raises ``Refused`` for the first field that is missing or wrong."""
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    where = _path(first["loc"], body)
    if first["type"] == "missing":
        raise Refused(f"Missing required parameter: '{where}'.", param=where, code="missing_required_parameter")
    code = "invalid_type" if first["type"].endswith("_type") else "invalid_value"
    raise Refused(f"Invalid value for '{where}': {first['msg']}.", param=where, code=code)


def _path(steps: Sequence[str | int], body: Any) -> str:
    """The place of an error as OpenAI writes it; steps that are no place in the body name branches of a type."""
    path = ""
    for i, step in enumerate(steps):
        if isinstance(step, int):
            path += f"[{step}]"
            body = body[step] if isinstance(body, list) and step < len(body) else None
        elif isinstance(body, dict) and (step in body or i == len(steps) - 1):
            path += f".{step}"
            body = body.get(step)
    return path.lstrip(".")


def parts_of(content: Any, where: str) -> Iterator[str | bytes]:
    """Yields the texts of a message as ``str`` and its images as ``bytes``, in order."""
    if isinstance(content, str):
        yield content
        return
    if not isinstance(content, list):
        raise Refused(f"Invalid value for '{where}': give a string or a list of parts.", param=where)
    for i, part in enumerate(content):
        yield _part(part, f"{where}[{i}]")


def _part(part: Any, where: str) -> str | bytes:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in ("image_url", "input_image"):
        url = part.get("image_url")
        return image_of(url.get("url") if isinstance(url, dict) else url, f"{where}.image_url")
    if kind in (*_TEXTS, "refusal"):
        text = part.get("refusal" if kind == "refusal" else "text")
        if isinstance(text, str):
            return text
        raise Refused(f"Missing required parameter: '{where}.text'.", param=f"{where}.text")
    raise Refused(f"Invalid value for '{where}.type': the mock server reads texts and images only.", param=where)


def image_of(url: Any, where: str) -> bytes:
    """Returns the bytes of an image that is sent as a data URL; nothing is ever fetched."""
    if not isinstance(url, str):
        raise Refused(f"Missing required parameter: '{where}'.", param=where, code="missing_required_parameter")
    found = _DATA_URL.match(url)
    if found is None:
        advice = "The mock server downloads nothing. Send the image itself: data:image/jpeg;base64,…"
        raise Refused(advice, param=where, code="invalid_image_url")
    return decoded(url[found.end() :], where)


def decoded(data: str, where: str) -> bytes:
    """Returns bytes from Base64; raises ``Refused``."""
    try:
        if data:
            return b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise Refused("Invalid base64 image_url.", param=where, code="invalid_base64")


def said(parts: Sequence[str | bytes]) -> Mapping[str, Any]:
    """The texts and images of a request as fields of ``ParsedRequest``."""
    texts, images = [p for p in parts if isinstance(p, str)], [p for p in parts if isinstance(p, bytes)]
    return {"text": "\n".join(texts), "images": tuple(images)}


def tool_to_call(body: RequestBody) -> Tool | None:
    """Returns the tool that ``tool_choice`` demands, the first one if any will do, or None."""
    tools = [_tool(tool, f"tools[{i}]") for i, tool in enumerate(body.tools or [])]
    choice = body.tool_choice
    if choice in (None, "auto", "none"):
        return None
    if not tools:
        raise Refused("'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice")
    if choice == "required":
        return tools[0]
    named = choice.get("function", choice) if isinstance(choice, dict) else None
    wanted = named.get("name") if isinstance(named, dict) else choice
    found = next((tool for tool in tools if tool.name == wanted), None)
    if found is None or not isinstance(choice, dict):
        raise Refused(f"Tool choice {wanted!r} not found in 'tools' parameter.", param="tool_choice")
    return found


def _tool(tool: Json, where: str) -> Tool:
    function = tool.get("function", tool)
    name = function.get("name") if isinstance(function, dict) else None
    parameters = function.get("parameters") if isinstance(function, dict) else None
    if tool.get("type") != "function" or not isinstance(name, str) or not isinstance(parameters, dict | None):
        raise Refused(f"Invalid value for '{where}': the mock server has functions with a name only.", param=where)
    return Tool(name, parameters or {})
