"""Pairs of labels in many scripts: which look like one label spelt differently, and whether that is noticed."""

import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.figure import Figure
from doubleread.core.label_likeness import alike


class Pair(NamedTuple):
    """Two labels, and whether a reader would take them for one label spelt differently."""

    first: str
    second: str
    alike: bool


ALIKE = {
    "Latin": [
        ("rust", "Rust"), ("black-rot", "black rot"), ("black_rot", "Black–Rot"), ("BlackRot", "black-rot"),
        ("rust.", "rust"), ("'rust'", "rust"), ("rust, mild", "rust - mild"), ("Weiß", "WEISS"), ("ﬁre", "fire"),
        ("ｒｕｓｔ", "rust"), ("İLTİHAP", "iltihap"), ("IŞIK", "ışık"), ("type I", "type l"), ("Type 1", "type I"),
        ("grade 1", "Grade-1"), ("modern", "modem"), ("m²", "m2"), ("CO₂", "CO2"), ("HER2 +", "HER2+"),
        ("HER2 (-)", "HER2\u2212"), ("≥2", ">= 2"), ("≤ 2 %", "<=2%"), ("rust\u200b", "\u200erust"),
        ("Hepatitis B", "hepatitis_b"), ("β-Carotin", "ß-Carotin"), ("5′", "5'"),
    ],
    "Cyrillic": [("ржавчина", "Ржавчина"), ("РЖА", "ржа"), ("рак", "paк"), ("чёрная", "черная"), ("А", "A")],
    "Greek": [("υγιής", "ΥΓΙΗΣ"), ("ΣΑΠΊΛΑ", "σαπίλα"), ("Α", "A"), ("σκουριά φύλλου", "σκουριά_φύλλου")],
    "Han": [("健康 ", "健康"), ("Ⅱ型", "II型"), ("锈病－轻", "锈病-轻"), ("１级", "1级")],
    "Kana": [("サビ", "ｻﾋﾞ"), ("へた", "ヘた"), ("ニ", "二")],
    "Hangul": [("녹병", unicodedata.normalize("NFD", "녹병")), ("녹병 잎", "녹병_잎"), ("１형", "1형")],
    "Arabic": [("نوع ١", "نوع 1"), ("أوراق", "اوراق"), ("سليم", "سَليم"), ("ورقة", "ورقـة"), ("کپک", "كپك")],
    "Hebrew": [("בָּרִיא", "בריא"), ("עלה־חולה", "עלה חולה")],
    "Devanagari": [("पत्ती-रोग", "पत्ती रोग"), ("श्रेणी १", "श्रेणी 1")],
    "Thai": [("สนิม-ใบ", "สนิม ใบ"), ("แดง", "เเดง"), ("ระดับ ๑", "ระดับ 1")],
}  # fmt: skip
UNLIKE = {
    "Latin": [
        ("HER2+", "HER2-"), ("HER2", "HER2-"), ("HER2", "HER2+"), (">=2", "<2"), (">2", ">=2"), ("<5%", ">5%"),
        ("grade 1", "grade 2"), ("type 1", "type 2"), ("stage IV", "stage VI"), ("-1", "1"), ("grade -1", "grade 1"),
        ("1.5", "15"), ("1.5", "1 5"), ("0.5", ".05"), ("10²", "102"), ("1½", "11/2"), ("1:2", "12"), ("2-3", "23"),
        ("A", "B"), ("I", "L"), ("A B", "AB"), ("A+", "A-"), ("A*", "A"), ("C", "C++"), ("C+", "C#"), ("T1", "T1a"),
        ("T1 2", "T12"), ("spot", "spots"), ("rust?", "rust"), ("5%", "5"), ("Fäule", "Faule"), ("ER+PR-", "ER-PR+"),
    ],
    "Cyrillic": [("ржавчина", "парша"), ("мой", "мои"), ("кот", "код"), ("6а", "66")],
    "Greek": [("υγιής", "σάπιος"), ("α", "β")],
    "Han": [("健康", "锈病"), ("未", "末"), ("1级", "2级"), ("叶", "根")],
    "Kana": [("か", "が"), ("サビ", "カビ"), ("ハ", "パ")],
    "Hangul": [("녹병", "건강"), ("1형", "2형")],
    "Arabic": [("صحي", "مريض"), ("نوع ١", "نوع ٢"), ("حب", "جب")],
    "Hebrew": [("בריא", "חולה"), ("נור", "ניר")],
    "Devanagari": [("कमल", "कलम"), ("रोग", "रोगी"), ("श्रेणी १", "श्रेणी २")],
    "Thai": [("ปา", "ป่า"), ("สนิม", "ปกติ")],
}  # fmt: skip


def pairs() -> list[Pair]:
    """Returns all pairs."""
    expected = ((ALIKE, True), (UNLIKE, False))
    return [Pair(*two, same) for table, same in expected for some in table.values() for two in some]


def label_look_alikes() -> Iterator[Figure]:
    """Of label pairs in ten scripts: how many get a false note, and how many look-alikes are missed."""
    found = pairs()
    scripts = f"{len(ALIKE.keys() | UNLIKE.keys())} scripts"
    for name, same in (("false_notes", False), ("missed", True)):
        some = [pair for pair in found if pair.alike is same]
        wrong = [pair for pair in some if alike(pair.first, pair.second) is not same]
        note = "; ".join((scripts, *(f"{pair.first} / {pair.second}" for pair in wrong)))
        yield Figure(name=f"label_look_alikes.{name}", value=len(wrong), target="== 0", n=len(some), note=note)
