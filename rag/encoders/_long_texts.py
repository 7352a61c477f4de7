"""Texts that are longer than a text tower's context: in chunks of whole words."""

from collections.abc import Callable, Sequence

from doubleread.core.notices import warn_user

Count = Callable[[str], int]
"""Returns the number of tokens of a text, with those at its start and end."""
_REMEDY = "they are read in parts, and the parts are averaged. Shorter descriptions are read better"


def chunked(texts: Sequence[str], count: Count, context: int) -> list[list[str]]:
    """Splits each text into as few chunks of whole words as fit into ``context`` tokens; warns of those with several.

    A word that does not fit by itself is a chunk of its own, which the tower cuts off.
    """
    found = [_chunks(text, count, context) for text in texts]
    if many := sum(len(parts) > 1 for parts in found):
        which = f"{many} of {len(texts)} texts {'is' if many == 1 else 'are'} longer than the {context} tokens"
        longest = max(count(text) for text in texts)
        warn_user([f"{which} that the encoder reads at once (the longest has {longest}): {_REMEDY}"])
    return found


def _chunks(text: str, count: Count, context: int) -> list[str]:
    if count(text) <= context:
        return [text]
    parts: list[str] = []
    for word in text.split():
        joined = f"{parts[-1]} {word}" if parts else word
        if parts and count(joined) <= context:
            parts[-1] = joined
        else:
            parts.append(word)
    return parts or [text]
