"""Text of label names: one form for spellings that print the same, and words that stand for a missing label.

Every label that comes from outside passes ``normal``: from data sets, task files, tables of outcomes, and people.
"""

import re
import shlex
import unicodedata

_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_MISSING = frozenset(
    {
        "nan", "-nan", "none", "null", "nil", "nat", "na", "n/a", "n.a.", "n.a", "<na>", "<nan>", "<none>", "<null>",
        "#n/a", "#na", "#n/a n/a", "#value!", "#ref!", "#name?", "#null!", "#num!", "#div/0!", "(null)", "(none)",
        "(blank)", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "undefined", "unlabeled", "unlabelled", "no label",
    }
)  # fmt: skip
_JOINERS = "\u200c\u200d"
"""Zero width, but they change how Persian, Indic scripts and emoji are shown."""
_UNSEEN = frozenset("\u034f\u115f\u1160\u3164\uffa0")
"""Invisible, though not of a category that says so."""
_BLANK = frozenset("\u2800")


def normal(label: str) -> str:
    """Returns a label in NFC, without invisible characters, with single blanks between words and none around them.

    Examples:
        >>> from doubleread.core.label_text import normal
        >>> normal("  apple\\u00a0 scab\\u200b ")
        'apple scab'
    """
    if label.isascii() and label.isprintable():
        return " ".join(label.split())
    spaced = "".join(" " if one.isspace() or one in _BLANK else one for one in label)
    seen = "".join(one for i, one in enumerate(spaced) if _is_seen(spaced, i))
    return " ".join(unicodedata.normalize("NFC", seen).split())


def _is_seen(text: str, place: int) -> bool:
    one = text[place]
    if one in _JOINERS:
        around = text[place - 1 : place] + text[place + 1 : place + 2]
        return len(around) == 2 and not any(char.isspace() or ord(char) < 0x590 for char in around)
    return one not in _UNSEEN and unicodedata.category(one) not in ("Cf", "Cc")


def is_missing(label: str) -> bool:
    """Returns whether a label is empty or a word that programs write for a missing value, as ``nan`` or ``N/A``."""
    plain = unicodedata.normalize("NFKC", normal(label)).casefold()
    return plain in _MISSING or not plain.strip(f"?{_DASHES}_ ")


def keep_hint(label: str) -> str:
    """Returns how to keep a word for a missing value as a label."""
    return f"if it is a real label, keep it with --map {shlex.quote(f'{label}={label}')}"


def as_known(label: str, names: "tuple[str, ...]") -> str:
    """Returns the name that only differs in its Unicode form or in blanks, or else the label in its normal form.

    Panels that were fitted by older versions may have names that are not in normal form.
    """
    if label in names:
        return label
    wanted = normal(label)
    return next((name for name in names if normal(name) == wanted), wanted)


def words_of(label: str) -> str:
    """Returns a label in words: underscores, and dashes between words, become blanks; signs as in ``HER2-`` stay."""
    return re.sub(r"(?<=[^\W_])-(?=[^\W_])", " ", label.replace("_", " "))
