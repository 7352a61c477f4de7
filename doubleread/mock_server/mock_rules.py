"""Which requests the mock server takes."""

import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass

from doubleread.core.errors import FileError
from doubleread.core.safe_files import parse_json
from doubleread.core.types import Json
from doubleread.mock_server.asked import ParsedRequest, Refused

FEATURES = (
    "chat_completions",
    "decisions",
    "images",
    "json_object",
    "json_schema",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "stream",
    "temperature",
    "tools",
)
"""Features that a server may lack."""
Read = Callable[[Json], ParsedRequest]


@dataclass(frozen=True)
class ServingRules:
    """``without`` names features that are rejected with status 400, ``ignores`` fields without any effect.

    With ``models``, others are unknown; with ``key``, requests must carry it.
    """

    without: Collection[str] = ()
    ignores: Collection[str] = ()
    models: Collection[str] = ()
    key: str | None = None

    def asked(self, path: str, body: Json, read: Read) -> ParsedRequest:
        """Reads a request; raises ``Refused`` for one that is wrong or that this server does not take."""
        if "chat_completions" in self.without and path.endswith("/chat/completions"):
            only = "This model is only supported in v1/responses and not in v1/chat/completions."
            raise Refused(only, status=404, param="model")
        if "decisions" in self.without and path.endswith("/decisions"):
            raise Refused(f"Invalid URL: POST {path}", status=404)
        if lacking := next((name for name in self.without if name in _used(body)), None):
            raise Refused(f"Unsupported: '{lacking}' is not supported by this model.", param=lacking)
        asked = read({name: value for name, value in body.items() if name not in self.ignores})
        if "images" in self.without and asked.images:
            raise Refused("Unsupported: image input is not supported by this model.", param="messages")
        self.check_model(asked.model)
        return asked

    def check_key(self, authorization: str) -> None:
        """Raises ``Refused`` for another key, which it does not repeat."""
        given = authorization.removeprefix("Bearer ").strip()
        if self.key is None or hmac.compare_digest(given.encode(), self.key.encode()):
            return
        if not given:
            raise Refused("You didn't provide an API key.", status=401)
        raise Refused("Incorrect API key provided.", status=401, code="invalid_api_key")

    def check_model(self, name: str) -> None:
        """Raises ``Refused`` for a model that is not served."""
        if self.models and name not in self.models:
            what = f"The model `{name}` does not exist or you do not have access to it."
            raise Refused(what, status=404, code="model_not_found")


def object_of(content: bytes) -> Json:
    """Parses the body of a request; raises ``Refused``."""
    try:
        body = parse_json(content, "the body")
    except FileError as error:
        raise Refused(f"We could not parse the JSON body of your request: {error}.") from None
    if isinstance(body, dict):
        return body
    raise Refused("We could not parse the JSON body of your request: the body is no object.")


def _used(body: Json) -> set[str]:
    """The fields and the answer format of a request, as far as they are set."""
    text = body.get("text")
    form = text.get("format") if isinstance(text, dict) else body.get("response_format")
    kind = form.get("type") if isinstance(form, dict) else None
    return {name for name, value in body.items() if value is not None and value is not False} | {str(kind)}
