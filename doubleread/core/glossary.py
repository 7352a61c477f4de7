"""The twelve words that every screen uses in the same sense. ``docs/glossary.md`` is made from this file."""

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """One word of the glossary."""

    name: str
    meaning: str
    """One to three plain sentences; the first one says what it is."""
    spellings: tuple[str, ...] = ()
    """Other forms in which texts use the word."""

    @property
    def anchor(self) -> str:
        """The word's anchor on a page that has the glossary."""
        return f"word-{self.name.lower().replace(' ', '-')}"

    def is_in(self, text: str) -> bool:
        """Whether a text uses the word, in any of its forms."""
        forms = "|".join(re.escape(form) for form in (self.name, *self.spellings))
        return re.search(rf"(?<!\w)(?:{forms})(?!\w)", text, re.IGNORECASE) is not None


TERMS = (
    Term(
        "agent",
        "One reader of the image: a local classifier, CLIP, a vision-language model, or answers recorded earlier. It "
        "gives a probability for each label, or says why it cannot. All agents together are the panel.",
        ("agents", "panel"),
    ),
    Term(
        "calibrated",
        "A probability is calibrated if it comes true as often as it says: of all images called 80 % sure, about 80 % "
        "are right. doubleread learns how to correct each agent's probabilities on labelled images that the agent was "
        "not fitted on.",
        ("calibration", "sure"),
    ),
    Term(
        "calibration images",
        "The labelled images on which doubleread measured how far each agent can be trusted. An agent is never tested "
        "on an image that it was fitted on. They are also called held-out images.",
        ("calibration image", "calibration cases", "held-out images", "held-out cases", "track record"),
    ),
    Term(
        "decision",
        "Commit to a label, or refer the image to a person. The panel commits if the expected cost of an error is "
        "lower than the cost of a referral. Both costs are yours to set.",
        ("commit", "committed", "refer", "referred", "referral", "referrals"),
    ),
    Term(
        "prediction set",
        "The labels that cannot be ruled out. By default, the set contains the true label for at least 90 % of new "
        "images that are like the calibration images. An empty set means that the image fits none of the labels.",
        ("prediction sets", "cannot be ruled out"),
    ),
    Term(
        "unfamiliar",
        "The image is unlike the calibration images: another camera, another object, a damaged file. The panel's "
        "record says nothing about such an image, so it shows no probability and refers it to a person.",
        ("unlike the calibration images", "familiarity"),
    ),
    Term(
        "second look",
        "The agents read a doubtful image again, with similar labelled images beside it and the image in crops. It is "
        "taken only if it is expected to be worth its cost.",
        ("second looks",),
    ),
    Term(
        "similar cases",
        "The labelled images that look most like this one. An image itself and images of its own group are left out. "
        "Similarity is 1 for equal images and lower for others.",
        ("similar images", "similar labelled images", "similar case", "similarity"),
    ),
    Term(
        "influence",
        "How many percentage points the verdict would change without this agent.",
    ),
    Term(
        "group",
        "Images that belong together: the same plant, patient, part or day. Groups are never split between fitting and "
        "testing, because images of one group look alike and would make the measured accuracy too high.",
        ("groups",),
    ),
    Term(
        "ECE",
        "Expected calibration error: how far the stated probabilities are from how often they are right, on average; 0 "
        "is best. A perfectly calibrated agent also shows an error above 0 on few images: this is the chance level, "
        "and an ECE up to it is no sign of a fault.",
        ("calibration error", "chance level"),
    ),
    Term(
        "log-loss",
        "The average of -ln(p), where p is the probability given to the true label. Lower is better. It punishes "
        "confident errors most.",
        ("NLL", "negative log-likelihood"),
    ),
)
"""In the order in which a reader meets them."""


def find(word: str) -> Term | None:
    """Returns the entry of a word in any of its forms, or None."""
    asked = " ".join(word.split()).casefold()
    return next((term for term in TERMS if asked in {form.casefold() for form in (term.name, *term.spellings)}), None)


def words_in(texts: Iterable[str]) -> tuple[Term, ...]:
    """Returns the entries of the words that these texts use, in the glossary's order."""
    text = "\n".join(texts)
    return tuple(term for term in TERMS if term.is_in(text))


def as_markdown() -> str:
    """Returns the glossary as a page."""
    entries = (f'<a id="{term.anchor}"></a>\n\n**{term.name}**{_also(term)}  \n{term.meaning}\n' for term in TERMS)
    return "\n".join(
        ("# Glossary\n\nThis page explains the twelve words that doubleread uses on every screen.\n", *entries)
    )


def _also(term: Term) -> str:
    return f" (also: {', '.join(term.spellings)})" if term.spellings else ""
