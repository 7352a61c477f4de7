"""Plain English for the commands: a table of phrases, each of which must fit the whole of what is said.

``{label}`` and its like stand for words that must be names; see ``_SLOTS``. Of several phrases that fit the first
counts whose names are known. A question never confirms anything.
"""

import re
from functools import cache
from typing import NamedTuple

from doubleread.sessions.commands import CommandName

_SLOTS = {
    "label": r"(?P<label>.+?)",
    "true": r"(?P<true>.+?)",
    "other": r"(?P<other>.+?)",
    "pair": r"(?P<pair>.+?)",
    "agents": r"(?:the )?(?P<agents>.+?)",
    "agent": r"(?P<agent>.+?)",
    "image": r"(?P<image>.+?)",
    "count": r"(?P<count>\d+|two|three|four|five|six|seven|eight|nine|ten)",
    "amount": r"(?P<amount>\S+)",
    "share": r"(?P<share>[\d.,]+ ?(?:%|per ?cent)?|(?:\d+|one) (?:in|of|out of) \w+)",
    "factor": r"(?P<factor>twice|double|half|thrice|\S+ times)",
    "IT": r"(?:it|this|that|this one|(?:the|this) (?:image|picture|photo|case|verdict|diagnosis|decision|answer))",
    "IS": r"(?:it|this|that|(?:the|this) (?:image|picture|photo|case))(?:'s| is| was)",
    "ART": r"(?:a |an |the )?",
    "CASES": r"(?:cases?|images?|pictures?|photos?|ones?|examples?|neighbou?rs)",
    "SHOW": r"(?:show|find|give|list|get|fetch)(?: me| us)?(?: the| some| all)?",
    "WHATIF": r"(?:what if|what would happen if|suppose|assume|and if|if)",
    "COSTS": r"(?: only)?(?: would)? (?:costs?|was|were|is|are)(?: only| worth)?",
    "BE": r"(?:was|were|is|are|made up|had been)(?: only)?",
    "AGAIN": r"(?:(?:read|try|diagnose|judge|check)(?: {IT})?(?: again| anew| once more| a second time)"
    r"|re-?read(?: {IT})?|again|once more)",
    "LOOK": r"(?:look(?: closer| harder| at {IT})* again|look (?:closer|harder)(?: at {IT})?"
    r"|(?:take|have) (?:a second|another|a closer) look(?: at {IT})?"
    r"|{AGAIN} (?:with (?:the )?crops|looking (?:closer|twice)))",
    "KNOWING": r"[,;:.]? (?:with (?:the )?hint(?: that)?"
    r"|(?:knowing|considering|given|bearing in mind|(?:and )?note) that)",
    "YES": r"(?:(?:yes|yeah|yep|indeed),? )",
    "REALLY": r"(?:really |actually |definitely |certainly |clearly |indeed )?",
}


class Phrase(NamedTuple):
    """A way to say a command; ``note`` tells the reader of its names what the words do not."""

    command: CommandName
    says: str
    note: str = ""


PHRASES = (
    # why it is not settled, before anything that takes what follows "why" for a label
    Phrase("why", r"why(?: (?:so|(?:is )?{IT}(?: so)?))?"),
    Phrase(
        "why",
        r"why (?:(?:is|was|did|do|does|are|were) )?(?:not )?(?:(?:{IT}|you|they|the panel) )?(?:(?:is|was) )?(?:not )?"
        r"(?:being )?(?:confirm|commit|refer|decide|sure|certain)(?:red|ted|ed|d)?(?: (?:so|that|this|it))?",
    ),
    Phrase("why", r"(?:explain|justify)(?: (?:{IT}|yourself))?|how (?:so|come)|(?:give me )?(?:the |your )?reasons"),
    Phrase("why", r"how (?:sure|certain|confident) (?:are you|is {IT}|is the panel)(?: (?:of|about) {IT})?"),
    Phrase("why", r"what makes you (?:think|say|believe) (?:so|that|this)|what (?:is {IT}|do you (?:see|think))"),
    Phrase("why-not", r"why not", "nothing"),
    Phrase(
        "why-not",
        r"why (?:is |was |did |could |can |would |should )?(?:(?:{IT}|you|there) )?(?:no|not) "
        r"(?:(?:{IT}|you) )?(?:be |say |think |called )?{ART}{label}",
    ),
    Phrase("why-not", r"(?:what (?:speaks|is there) against|rule out) {ART}{label}"),
    Phrase(
        "why", r"why (?:is |was |did )?(?:(?:{IT}|you|there) )?(?:is |be |say |think |called )?{ART}{label}", "asked"
    ),
    Phrase("why", r"what makes you (?:think|say|believe)(?: of)?(?: {IS})? {ART}{label}", "asked"),
    Phrase("why", r"what speaks for {ART}{label}", "asked"),
    Phrase("why", r"(?:could|can|might|may) {IT} (?:also |not )?be {ART}{label}", "asked"),
    Phrase("why", r"(?:is|was) (?:it|this|that) (?:not |maybe |perhaps )?{ART}{label}", "question"),
    Phrase("why", r"(?:how|what) about {ART}{label}", "asked"),
    # similar cases
    Phrase(
        "similar", r"(?:{SHOW} )?(?:the )?(?:{count} )?(?:most )?(?:similar|like|nearest|closest|alike)(?: {CASES})?"
    ),
    Phrase("similar", r"(?:{SHOW} )?(?:the )?neighbou?r(?:s|ing cases)|what looks like {IT}|what does {IT} look like"),
    Phrase(
        "similar",
        r"(?:{SHOW} )?(?:the )?(?:{count} )?(?:most )?(?:similar|nearest|closest) {CASES} "
        r"(?:of|for|with|from|in|labelled)(?: label)? {label}",
    ),
    Phrase(
        "similar",
        r"{SHOW} (?:{count} )?(?:more )?{CASES} (?:of|for|with|from|labelled)(?: label)? {label}",
    ),
    Phrase("similar", r"{SHOW} (?:{count} )?(?:most )?(?:similar |nearest |closest )?{label} {CASES}"),
    Phrase("similar", r"what (?:does|do|would|did) {ART}{label}(?: {CASES})? look like"),
    # who, and how far to trust them
    Phrase("who", r"who(?: (?:disagrees|differs|dissents|agrees|said what|says what|is against {IT}))?"),
    Phrase("who", r"who (?:says|said|thinks|thought) (?:otherwise|so|something else|what)"),
    Phrase(
        "who", r"(?:do|did) (?:they|the agents|all(?: agents)?)(?: all)? agree|(?:does|did) (?:anyone|anybody) disagree"
    ),
    Phrase("who", r"(?:how far|how much|whom?) (?:can|should|do|could) (?:i|we|you) trust(?: them| each| the agents)?"),
    Phrase("who", r"how (?:far|much) (?:is|are) (?:each|they|the agents)(?: of them)? trusted"),
    Phrase("who", r"(?:who|which agents?) (?:says?|said|thinks?|thought|voted)(?: for)? {label}", "question"),
    Phrase("who", r"(?:how (?:far|much) )?(?:can|should|could|do) (?:i|we|you) (?:trust|believe|rely on) {agent}"),
    Phrase("who", r"how (?:good|reliable|accurate|trustworthy|often right|well calibrated|far trusted) is {agent}"),
    Phrase("who", r"how (?:far|much) is {agent} trusted|how (?:often|many times) is {agent_} right"),
    Phrase("who", r"what (?:did|does|do) {agent} (?:say|think|see)|tell me (?:more )?about {agent_}"),
    Phrase("who", r"(?:how|what) about {agent}"),
    # where
    Phrase("where", r"where(?: (?:did|do|does) (?:the agents|they|you|it|everyone|the panel) (?:all )?look(?: at)?)?"),
    Phrase("where", r"what (?:did|do|does) (?:the agents|they|you|the panel) look at"),
    Phrase("where", r"(?:{SHOW} )?(?:the |an? )?(?:heat ?maps?|saliency(?: maps?)?|attributions?(?: maps?)?)"),
    Phrase("where", r"(?:{SHOW} )?where (?:is|was) it(?: seen)?|where (?:do|did|does) (?:you|they|it) see (?:it|that)"),
    Phrase("where", r"{SHOW} where(?: (?:it is|{IT} is seen|they looked|you looked|the agents looked))?"),
    Phrase("where", r"where (?:did|does|do) {agent} look(?: at)?|what (?:did|does) {agent_} look at"),
    Phrase("where", r"(?:{SHOW} )?where {agent} look(?:s|ed)(?: at)?"),
    Phrase("where", r"where (?:did|does|do) {agent} see {ART}{label}"),
    Phrase("where", r"where (?:did|does|do) (?:the agents|they|you|it|the panel) see {ART}{label}"),
    Phrase("where", r"(?:{SHOW} )?where (?:is |was )?{ART}{label}(?: is)?(?: seen| visible)?"),
    # what would change it
    Phrase(
        "what-would-change",
        r"what (?:would|could|might|does) (?:it take|change|turn|flip)(?: .+ (?:mind|verdict|decision"
        r"|opinion|answer|diagnosis)| {IT}| anything)?",
    ),
    Phrase("what-would-change", r"when would (?:you|it|the panel) (?:decide|say|think|change|refer|commit).*"),
    Phrase("what-would-change", r"what would make (?:you|it|the panel) (?:decide|say|think|change|refer|commit).*"),
    Phrase("what-would-change", r"(?:the )?turning points|how (?:stable|robust|close|fragile) is {IT}"),
    # read again
    Phrase("read-again", r"{AGAIN}"),
    Phrase("read-again", r"{LOOK}", "look"),
    Phrase("read-again", r"{AGAIN},? (?:with|using|among) {count} (?:similar )?{CASES}"),
    Phrase("read-again", r"{AGAIN},? (?:with|using) more (?:similar )?(?:{CASES}|evidence)", "more"),
    Phrase("read-again", r"{AGAIN},? (?:but )?(?:without|leaving out|ignoring) {agents}", "without"),
    Phrase("read-again", r"{LOOK},? (?:but )?(?:without|leaving out|ignoring) {agents}", "look without"),
    Phrase(
        "read-again",
        r"{AGAIN},? (?:but )?(?:(?:with|using|by|asking) )?(?:only|just|by|with) (?:by |with )?{agents}",
        "only",
    ),
    Phrase("read-again", r"ask (?:only|just|nobody but) {agents}|(?:only|just) ask {agents_}", "only"),
    # leave out
    Phrase("without", r"(?:and )?without {agents}"),
    Phrase("without", r"(?:leave out|ignore|exclude|drop|omit|skip|disregard) {agents}"),
    Phrase("without", r"(?:leave|take|keep|throw) {agents} (?:out|away)"),
    Phrase(
        "without",
        r"(?:what|how) (?:would|does|did|is|about|if|would happen|changes)(?: {IT}| the verdict| you)?"
        r"(?: (?:be|say|think|look|change))?(?: like)? without {agents}",
    ),
    Phrase("without", r"{WHATIF} (?:we |you |i )?(?:leave|take|left|took) {agents} out"),
    Phrase("without", r"{WHATIF} (?:we |you |i )?(?:leave out|left out|ignored?|drop(?:ped)?|excluded?) {agents}"),
    Phrase(
        "without", r"{WHATIF} {agents} (?:is|are|was|were|had been|said) (?:silent|left out|absent|missing|nothing)"
    ),
    # costs
    Phrase("costs", r"{WHATIF} {ART}(?:referrals?|referring(?: it| a case)?){COSTS} {amount}", "referral"),
    Phrase("costs", r"{WHATIF} (?:an |every |each )?(?:errors?|mistakes?|wrong answers?){COSTS} {amount}", "error"),
    Phrase("costs", r"{WHATIF} (?:missing|overlooking) {ART}{label}{COSTS} {amount}", "missed"),
    Phrase("costs", r"{WHATIF} {ART}(?:missed|overlooked) {label}{COSTS} {amount}", "missed"),
    Phrase("costs", r"{WHATIF} (?:mistaking|taking|confusing) {ART}{true} (?:for|with) {ART}{other}{COSTS} {amount}"),
    Phrase("costs", r"{WHATIF} calling {ART}{pair}{COSTS} {amount}"),
    # prevalence
    Phrase("prevalence", r"{WHATIF} {label} {BE} {factor} (?:as|more|so) (?:common|frequent|likely|prevalent|often)"),
    Phrase(
        "prevalence", r"{WHATIF} {label} {BE} {factor} (?:rarer|less (?:common|frequent|likely|prevalent))", "rarer"
    ),
    Phrase("prevalence", r"{WHATIF} (?:the )?(?:prevalence|share|frequency) of {label} {BE} {share}"),
    Phrase(
        "prevalence",
        r"{WHATIF} {share} (?:of )?(?:(?:all |the )*(?:cases|images|pictures) )?(?:was|were|is|are|had|have) {label}",
    ),
    Phrase("prevalence", r"{WHATIF} {label} {BE} {share}(?:(?: of| all| the)* \w+)?"),
    # compare and switch
    Phrase("compare", r"compare(?: (?:{IT}|them|both|the (?:two )?images|the two))?", "nothing"),
    Phrase("compare", r"compare (?:{IT} )?(?:with |to |and |against )?{image}"),
    Phrase("compare", r"how does {IT} (?:differ from|compare (?:to|with)) {image}"),
    Phrase("compare", r"(?:what is the )?difference (?:to|from|between {IT} and) {image}"),
    Phrase(
        "images",
        r"(?:list |show |which |what )?(?:me )?(?:the |all |my )*(?:images|pictures|photos)(?: are there| do we have)?",
    ),
    Phrase("switch", r"(?:switch|go|change|turn|go back|back)(?: back)? to {image}"),
    Phrase("switch", r"(?:let us |let's )?(?:now )?talk about {image}|open {image_}|show(?: me)? {image__}"),
    Phrase(
        "help", r"help(?: me)?|what (?:can|may|could) (?:i|one|you|we) (?:say|ask|do)|commands|how does this work|\?"
    ),
)

HINTS = (
    Phrase(
        "read-again",
        r"{LOOK}(?:{KNOWING}|[,;:.]? ?(?:hint|note):) ?(?P<hint>.+)",
        "look",
    ),
    Phrase("read-again", r"{AGAIN}(?:{KNOWING}|[,;:.]? ?(?:hint|note):) ?(?P<hint>.+)"),
    Phrase("read-again", r"{LOOK} ?[,;:.–—-]+ (?P<hint>.+)", "look unless"),
    Phrase("read-again", r"{AGAIN} ?[,;:.–—-]+ (?P<hint>.+)", "unless"),
    Phrase("read-again", r"(?P<hint>.+?) ?[,;:.–—-]+ (?:so |and |please |now )*{LOOK}", "look unless"),
)
"""A hint for agents that read text: never in a question; ``unless`` it says something by itself, or may be none."""
STATEMENT = re.compile(
    r"(?!(?:but |and |or )?(?:not|without|with|only|just|by|using|among|leaving|ignoring|asking|then|why|who|whom|what"
    r"|how|when|where|which|show|tell|say|explain|compare|switch|go|undo|confirm|correct|list)\b)(?=.*\s.*\s).*"
    r"\b(?:is|are|was|were|be|been|has|have|had|does|did|can|could|may|might|must|will|would|came|comes|grew|grows|got"
    r"|stood|stands|looks|seems|shows|\w{3,}ed|\w+n't|(?:it|that|there|he|she)'s|(?:they|we|you)'(?:re|ve))\b.*",
    re.IGNORECASE,
)
"""What is told beside "look again" is taken for a hint if it says of something what it is, was or has."""

DECISIONS = (
    Phrase(
        "confirm",
        r"{YES}?(?:(?:{IS}|that's) (?P<agreed>right|correct|true)|you(?:'re| are) (?P<agreed_>right|correct)"
        r"|i (?:agree|confirm)(?: (?:it|this|that))?|confirm(?:ed)?(?: (?:it|this|that))?|agreed)",
    ),
    Phrase("confirm", r"{YES}{IS} {REALLY}{ART}{label}", "yes"),
    Phrase("confirm", r"(?:please )?confirm(?: (?:it|this|that))?(?: as| to be|:)? {ART}{label}"),
    Phrase("correct", r"(?:no|nope|wrong),? (?:{IS} )?{REALLY}{ART}{label}", "no"),
    Phrase("correct", r"(?:actually,? |really,? )?{IS} {REALLY}{ART}{label}"),
    Phrase(
        "correct",
        r"(?:no,? )?(?:the )?(?:true |right |correct |real )?(?:label|answer|diagnosis)(?: here)? is {ART}{label}",
    ),
    Phrase(
        "correct", r"(?:correct|change|set|label|mark|record) (?:it|this|that|the label)? ?(?:to|as|:) {ART}{label}"
    ),
    Phrase("correct", r"(?:actually|in truth|in fact),? {ART}{label}"),
    Phrase(
        "undo",
        r"(?:undo|revert)(?: (?:it|that|this))?|take (?:it|that|this) back|take back(?: (?:it|that|this))?",
    ),
    Phrase(
        "undo",
        r"take (?:the |my )?(?:last )?(?:confirmation|correction|decision) back|take back (?:the |my )?(?:last )?"
        r"(?:confirmation|correction|decision)",
    ),
)
"""What changes what the panel knows: never in a question, never by a name that is nearly a label."""

YES_OR_NO = r"(?:yes|yeah|yep|ok|okay|right|correct|true|fine|sure|no|nope|wrong|false|incorrect)"
"""Too little to go by: it does not say what is true."""
DENIALS = (
    r"(?:no,? )?{IS} not {REALLY}{ART}(?P<label>.+?)(?:,? (?:is (?:it|this|that)|right))?",
    r"(?:no,? )?{IS} (?:wrong|false|incorrect)|you(?:'re| are) wrong",
)
"""These say what is not true, and nothing follows from them."""


@cache
def pattern(says: str) -> re.Pattern[str]:
    """A phrase as a pattern for the whole of what is said; ``{label_}`` is a second place for a label."""
    before = None
    while before != says:
        before, says = says, re.sub(r"\{([A-Za-z]+)(_*)\}", _slot, says)
    return re.compile(says, re.IGNORECASE)


def _slot(found: re.Match[str]) -> str:
    name, again = found[1], found[2]
    return _SLOTS[name].replace(f"(?P<{name}>", f"(?P<{name}{again}>")
