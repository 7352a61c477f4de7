"""Recognises a model that declines a question in plain words."""

import re

_LOOKED_AT = 400
"""Characters: refusals come first."""
_DECLINES = re.compile(
    r"\bI(?:['’]m| am) (?:really |very |so )?(?:sorry|unable|not able|not qualified|not in a position)"
    r"|\bI (?:can['’]?t|cannot|can not|won['’]t|will not|must decline|have to decline|don['’]t feel comfortable)"
    r" (?:\w+ ){0,3}(?:assist|help|diagnos\w*|analy[sz]e|identify|provide|comply|interpret|process|view|do that"
    r"|see (?:the |any |attached )?(?:image|picture|photo)"
    r"|answer|determine|fulfil|give|offer|discuss|engage)"
    r"|\b(?:unable|not able) to (?:assist|help|diagnose|provide|comply|analy[sz]e|view|process)"
    r"|\bas an? AI\b.{0,80}(?:can['’]?t|cannot|not able|unable|do not|don['’]t)"
    r"|\b(?:against|violat\w+) (?:my|our|the) (?:\w+ )?(?:guidelines|polic)"
    r"|\bkann ich (?:\w+ ){0,4}(?:nicht|keine)|\bich kann (?:\w+ ){0,4}(?:nicht|keine)|\btut mir leid"
    r"|\blo siento\b|\bno puedo (?:\w+ ){0,2}(?:ayud|proporcion|diagnostic|analiz|identific|realiz)"
    r"|\bje (?:suis désolée?|ne (?:peux|suis) pas)|\bdésolée?\b"
    r"|\bdesculpe\b|\bnão posso (?:\w+ ){0,2}(?:ajud|fornec|diagnostic|analis)"
    r"|\bmi dispiace\b|\bnon posso (?:\w+ ){0,2}(?:aiut|forn|diagnostic|analizz)"
    r"|抱歉|对不起|無法|无法(?:提供|协助|帮助|诊断|识别|回答|处理|查看)|不能(?:提供|协助|诊断)|申し訳|できません",
    re.IGNORECASE | re.DOTALL,
)


def refused(text: str) -> bool:
    """Whether a text without an answer declines the question."""
    return bool(_DECLINES.search(text[:_LOOKED_AT]))
