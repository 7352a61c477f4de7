"""Which labels look like one label spelt differently, and which label another spelling means.

Two labels are alike if they share a key. Keys ignore case, compatibility forms (full width, ligatures), the script of
digits, blanks, and the dashes, underscores and dots between words. They follow the skeletons of Unicode Technical
Standard 39 for letters of Latin, Cyrillic, Greek, Armenian and Japanese that look the same, and for ``I``, ``l`` and
``1``. Signs count: ``HER2+``, ``HER2-`` and ``HER2`` are three labels, as are ``>=2`` and ``<2``. So do accents that
make another letter (``ä``, ``é``, ``й``). Marks that are often left out do not count: vowel points of Arabic and
Hebrew, the dots of ``ё``, and Greek accents, which capitals do not have.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby

from doubleread.core.label_text import normal

_NEAR = 0.75
_QUOTES = str.maketrans(dict.fromkeys("‘’‚‛′ʹʼ`´׳", "'") | dict.fromkeys("“”„‟″״«»", '"'))
_SIGNS = {"≥": ">=", "≧": ">=", "⩾": ">=", "≤": "<=", "≦": "<=", "⩽": "<=", "±": "+/-", "×": "x", "∕": "/", "⁄": "/",
          "∗": "*", "∶": ":", "٪": "%"}  # fmt: skip
_VARIANTS = str.maketrans(
    {**_SIGNS, "ı": "i", "æ": "ae", "œ": "oe", "ک": "ك", "ی": "ي", "ى": "ي", "ہ": "ه", "ھ": "ه", "ە": "ه", "ـ": None,
     "แ": "เเ", "आ": "अा", "ओ": "अो", "औ": "अौ", "ऑ": "अॉ"}
)  # fmt: skip
_SHAPES = str.maketrans(
    "аАВсСԁеЕԌһНіІӀјЈкКМоОрРԛгѕЅТѵѴԝԜхХуУүҮЬЗαΑΒΕϜΗιΙϳͿκΚΜΝοΟρΡΤυνΧγΥΖօՕոսՍհՏյヘニハカトロタエー",
    "aABcCdeEGhHiIIjJkKMoOpPqrsSTvVwWxXyYyYb3aABEFHiIjJkKMNoOpPTuvXyYZoOnuUhSjへ二八力卜口夕工一",
)
"""Letters of other scripts that look like these (from the confusables of UTS 39)."""
_STROKES = str.maketrans(
    {**dict.fromkeys("Il1|", "\ue001"), **dict.fromkeys("O0〇", "\ue000"), "m": "\ue002", "β": "ß"}
)
"""Letters and digits that look the same as they are written; the characters that stand for them have no case."""
_OPTIONAL = re.compile(
    "[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\ufe00-\ufe0f]"
    "|(?<=[еЕ])\u0308|(?<=[\u0370-\u03ff])[\u0300\u0301\u0313\u0314\u0342\u0345]+|(?<=[iI])\u0307"
)
_RAISED = re.compile(r"(?<=\d)[²³¹⁰⁴-⁹₀-₉½⅓⅔¼¾⅛]")
_STOPS = ".,;:。、・·،؛।"


def alike(first: str, second: str) -> bool:
    """Returns whether two labels look like one label spelt differently.

    Examples:
        >>> from doubleread.core.label_likeness import alike
        >>> alike("Black_Rot", "black rot"), alike("HER2+", "HER2-")
        (True, False)
    """
    return not _keys(first).isdisjoint(_keys(second))


def look_alikes(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Returns groups of labels that look like one label spelt differently, each sorted."""
    groups: dict[str, set[str]] = {}
    for name in sorted(set(names)):
        joined = {name}
        for key in (keys := _keys(name)):
            joined |= groups.get(key, set())
        for key in keys.union(*map(_keys, joined)):
            groups[key] = joined
    found = {tuple(sorted(group)) for group in groups.values() if len(group) > 1}
    return sorted(found)


def meant(said: str, names: Sequence[str]) -> str | None:
    """Returns the label that a text means: spelt the same, or the only one that differs in case, blanks and dashes."""
    if said in names:
        return said
    wanted = spelling(said)
    same = [name for name in names if wanted and spelling(name) == wanted]
    return same[0] if len(same) == 1 else None


def nearest(label: str, names: Iterable[str]) -> str | None:
    """Returns the only label that looks like this one, or is spelt nearly so with the same digits and signs."""
    others = [name for name in names if name != label]
    same = [name for name in others if alike(name, label)]
    if same:
        return same[0] if len(same) == 1 else None
    wanted, near = spelling(label), {spelling(name): name for name in others if _counts(name) == _counts(label)}
    found = difflib.get_close_matches(wanted, near, n=2, cutoff=_NEAR)
    ratios = [difflib.SequenceMatcher(None, wanted, one).ratio() for one in found]
    return None if not found or (len(ratios) > 1 and ratios[0] == ratios[1]) else near[found[0]]


def spelling(label: str) -> str:
    """Returns what spellings of one label share; signs, digits and accents count."""
    return _folded(_compact(label))


@lru_cache(maxsize=4096)
def _keys(label: str) -> frozenset[str]:
    compact = _compact(label)
    shaped = compact.translate(_SHAPES)
    return frozenset(map(_folded, (compact, shaped, shaped.replace("rn", "m").translate(_STROKES))))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold().replace("i\u0307", "i")).translate(_VARIANTS)


def _compact(label: str) -> str:
    """Returns the label in plain characters without the blanks, dashes and stops that only separate words."""
    return _joined(_parts(_spaced(_parts(_unquoted(_composed(label))))))


def _composed(label: str) -> str:
    """Returns the label in plain characters, its case kept."""
    text = _RAISED.sub(lambda found: f" ^{found[0]}", normal(label).translate(_QUOTES))
    text = unicodedata.normalize("NFKC", text)
    text = "".join(_plain(one) for one in text)
    return unicodedata.normalize("NFC", _OPTIONAL.sub("", unicodedata.normalize("NFD", text))).translate(_VARIANTS)


def _plain(one: str) -> str:
    """Returns a digit of any script as 0–9, any dash as one, and a bracket, underscore or joiner as a blank."""
    kind = unicodedata.category(one)
    if kind == "Nd":
        return str(unicodedata.decimal(one))
    if kind == "Pd" or one == "\u2212":
        return "-"
    return " " if kind in ("Ps", "Pe", "Pc", "Cf") else one


def _unquoted(text: str) -> str:
    bare = text.strip()
    while len(bare) > 2 and bare[0] == bare[-1] and bare[0] in "'\"":
        bare = bare[1:-1].strip()
    return bare


def _parts(text: str) -> list[tuple[str, str]]:
    """Returns runs of one kind: ``a`` letters, ``1`` digits, a blank, ``-`` dashes, ``.`` stops, ``+`` other signs."""
    return [(kind, "".join(run)) for kind, run in groupby(" ".join(text.split()), _kind)]


def _kind(one: str) -> str:
    if one.isdecimal():
        return "1"
    if one.isalnum() or unicodedata.category(one).startswith("M"):
        return "a"
    return one if one in " -" else "." if one in _STOPS else "+"


def _spaced(parts: list[tuple[str, str]]) -> str:
    """Returns the text with a blank for every dash or stop that only separates words."""
    kinds = "".join(kind for kind, _ in parts)
    return "".join(" " if _separates(kinds, i, text) else text for i, (_, text) in enumerate(parts))


def _separates(kinds: str, place: int, text: str) -> bool:
    before, after = kinds[:place][-1:], kinds[place + 1 :][:1]
    worded = bool(re.search("[a1]", kinds[:place]))
    if kinds[place] == "-":
        return (
            (before in ("a", "1") and after in ("a", "1"))
            or (worded and before == " " and after in (" ", "a"))
            or (not before and after == " ")
        )
    if kinds[place] == ".":
        return not (after == "1" and before in ("1", "", " ", "+", "-") and not (before == " " and text != "."))
    return False


def _joined(parts: list[tuple[str, str]]) -> str:
    """Returns the text without the blanks that are often left out: all but those between digits or single letters."""
    return "".join(text for i, (kind, text) in enumerate(parts) if kind != " " or _divides(parts[i - 1], parts[i + 1]))


def _divides(before: tuple[str, str], after: tuple[str, str]) -> bool:
    kinds = before[0] + after[0]
    return kinds == "11" or (kinds == "aa" and _letters(before[1]) == _letters(after[1]) == 1)


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def _counts(label: str) -> tuple[str, ...]:
    return tuple(text for kind, text in _parts(spelling(label)) if kind != "a")


__all__ = ["alike", "look_alikes", "meant", "nearest", "spelling"]
