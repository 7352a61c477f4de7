"""Tells from a refusal which fields or addresses of the request the server does not know or support.

Only words or codes that say "unknown" or "unsupported" count. A value that is too large is no such thing: the field is
known, and leaving it out would hide the fault.
"""

import re
from collections.abc import Mapping
from typing import Any

from doubleread.agents.wire.bodies import CHAT, DECISIONS, NEW_LIMIT, OLD_LIMIT, limit_name
from doubleread.agents.wire.faults import CallFault
from doubleread.agents.wire.request import Request

STATUSES = frozenset({400, 404, 415, 422, 500, 501})
OTHER_SOURCE = "choose another `confidence` for this agent"
"""What to do where a server lacks what the agent's confidences come from."""
_LIMITS = frozenset({NEW_LIMIT, OLD_LIMIT})
_NAMED: Mapping[str, re.Pattern[str]] = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "logprobs": r"log_?prob",
        NEW_LIMIT: r"max_completion_tokens|max_output_tokens",
        OLD_LIMIT: r"max_tokens|max_new_tokens",
        "temperature": r"\btemperature\b",
        "json_object": r"json_object|json[ _]mode",
        "json_schema": r"json[ _]?schema|response[._ ]?(format|schema)|structured[ _]outputs?|guided|\bgrammar"
        r"|additionalProperties|\bschema\b",
        "system": r"\bsystem\b.{0,12}(role|message|prompt|instruction)|(role|messages?)\b.{0,40}\bsystem\b"
        r"|developer instruction|roles must alternate|should be 'user'|invalid role",
    }.items()
}
_UNKNOWN = re.compile(
    r"un(support|known|recogni[sz]ed|expected|permitted|avail|implement)|(not|n't|never|cannot|no longer)"
    r" (\w+ ){0,3}(support|permit|allow|accept|recogni|implement|enabl|avail|valid|us(e|able)\b|handle)"
    r"|extra[_ ](inputs?|fields?|forbidden)|extra_forbidden|cannot find field|no such|additional propert"
    r"|no endpoints found"
    r"|not (a )?(known|valid)|use '?\w+'? instead|only the default|deprecated|invalid (field|parameter|argument|key)"
    r"|unsupportedparams|drop_params|roles must alternate|should be 'user'|invalid role|must be '?(text|json_schema)",
    re.IGNORECASE,
)
_NOT_COMPILED = re.compile(
    r"invalid (json )?schema|(fail\w*|unable|error|could not|cannot) .{0,30}(grammar|schema|regex)"
    r"|(grammar|schema|regex).{0,60}(fail|error|invalid|too (complex|large|many)|cannot|could not)",
    re.IGNORECASE,
)
"""A schema that the server cannot use, whatever its fault: the answer is checked without it too."""
_ABOVE = re.compile(r"too (large|high|big|long|many)|at most|exceed|above|less than|maximum|range|<=", re.IGNORECASE)
_POSITIVE = re.compile(r"temperature\b.{0,40}(positive|greater than|> ?0|\(0)", re.IGNORECASE)
"""Servers that know the temperature but not 0 (TGI)."""
_ELSEWHERE = re.compile(
    r"/responses\b|\bresponses (api|endpoint)|chatcompletion operation does not work|responses[- ]only",
    re.IGNORECASE,
)
"""The model is served by the Responses API only (OpenAI and Azure: pro, codex and deep-research models)."""
_LOOKED_AT = 20_000


class FeatureMissing(Exception):
    """The server lacks features that the request used; the request without them may succeed.

    ``fault`` is what the refusal means if it cannot go without.
    """

    def __init__(self, features: frozenset[str], fault: CallFault) -> None:
        self.features, self.fault = features, fault
        super().__init__(*sorted(features))


def lacks_address(status: int, error: Mapping[str, Any]) -> bool:
    """Whether a refusal says that there is nothing at the address, and not that the model is unknown."""
    return status in (404, 405, 501) and "model" not in f"{error.get('message')} {error.get('code')}".lower()


def missing_features(
    status: int, error: Mapping[str, Any], request: Request, lacking: frozenset[str], limit: str
) -> frozenset[str]:
    """Returns the features that a refusal calls unknown or unsupported, of those that this request used.

    ``error`` is what ``error_of`` returns. Names in its ``param`` count before those in its words. Of several names in
    the words only the first counts: what follows is often advice, such as "use X instead".
    """
    param, message = str(error.get("param") or ""), str(error.get("message") or "")[:_LOOKED_AT]
    words = f"{message} {error.get('code') or ''} {error.get('type') or ''}"
    if request.api == "decisions":
        return frozenset({DECISIONS} - lacking) if lacks_address(status, error) else frozenset()
    if status not in STATUSES:
        return frozenset()
    if CHAT not in lacking and _ELSEWHERE.search(words):
        return frozenset({CHAT})
    used = _used(request, limit_name(lacking, limit)) - lacking - (_LIMITS if CHAT in lacking else frozenset())
    named = {name for name in used if _NAMED[name].search(param)} or _first_named(used, message)
    return frozenset(name for name in _as_sent(named, used) if _is_missing(name, status, words))


def _is_missing(name: str, status: int, words: str) -> bool:
    if name in _LIMITS and _ABOVE.search(words):
        return False
    if name in ("json_schema", "json_object") and (status >= 500 or _NOT_COMPILED.search(words)):
        return True
    return bool(_UNKNOWN.search(words)) or (name == "temperature" and bool(_POSITIVE.search(words)))


def _first_named(used: frozenset[str], message: str) -> set[str]:
    places = {name: found.start() for name in used if (found := _NAMED[name].search(message))}
    first = min(places.values(), default=0)
    return {name for name, at in places.items() if at == first}


def _as_sent(named: set[str], used: frozenset[str]) -> set[str]:
    """The request carries a schema or JSON mode, never both: a complaint about either means the one that was sent."""
    formats = {"json_schema", "json_object"}
    if not named & formats:
        return named
    return (named - formats) | {"json_schema" if "json_schema" in used else "json_object"}


def _used(request: Request, limit: str) -> frozenset[str]:
    used = {limit}
    if request.answer_schema is not None:
        used |= {"json_schema", "json_object"}
    if request.top_logprobs:
        used.add("logprobs")
    if request.temperature is not None:
        used.add("temperature")
    if any(message["role"] == "system" for message in request.messages):
        used.add("system")
    return frozenset(used)
