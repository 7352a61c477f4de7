"""The glossary on HTML pages: words that show their meaning, and a section that lists them. Works offline."""

import re
from collections.abc import Callable, Iterable

from markupsafe import Markup, escape

from doubleread.core.glossary import TERMS, Term, words_in


def explained(text: object, page: str = "", seen: set[str] | None = None) -> Markup:
    """Returns text as HTML in which the first use of each glossary word links to its meaning.

    ``page``: address of the page that has the glossary; by default the page itself (see ``glossary_html``). Text that
    is already ``Markup`` is returned as it is. ``seen`` collects the words that were explained; pass the same set for
    several texts to explain each word once.
    """
    return _marked(text, seen, lambda term, word: _LINK.format(f"{page}#{term.anchor}", term.meaning, word))


def with_meanings(text: object, seen: set[str] | None = None) -> Markup:
    """Like ``explained``, for a card that has no page of its own: each word has its meaning as a tooltip."""
    return _marked(text, seen, lambda term, word: _ABBR.format(term.meaning, word))


def glossary_html(texts: Iterable[str] | None = None, *, anchors: bool = True) -> Markup:
    """Returns the definitions as a ``<dl>``: of the words that ``texts`` use, or of all."""
    terms = TERMS if texts is None else words_in(texts)
    return Markup('<dl class="dr-words">{}</dl>').format(Markup("").join(_entry(t, anchors=anchors) for t in terms))


_LINK = Markup('<a class="dr-word" href="{}" title="{}">{}</a>')
_ABBR = Markup('<abbr class="dr-word" title="{}">{}</abbr>')
_ENTRY = Markup("<dt{}>{}</dt><dd>{}</dd>")
_ID = Markup(' id="{}"')


def _entry(term: Term, *, anchors: bool) -> Markup:
    return _ENTRY.format(_ID.format(term.anchor) if anchors else "", term.name, term.meaning)


def _forms() -> re.Pattern[str]:
    """Matches any form of any word; longer forms first, so that "calibration images" is one word."""
    forms = sorted(_TERM_OF, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, forms))})(?!\w)", re.IGNORECASE)


_TERM_OF = {form.casefold(): term for term in TERMS for form in (term.name, *term.spellings)}
_WORD = _forms()


def _marked(text: object, explained_before: set[str] | None, mark: Callable[[Term, str], Markup]) -> Markup:
    if isinstance(text, Markup):
        return text
    whole, parts, at = str(text), list[Markup](), 0
    seen = set[str]() if explained_before is None else explained_before
    for found in _WORD.finditer(whole):
        term = _TERM_OF[found[0].casefold()]
        if term.name not in seen:
            seen.add(term.name)
            parts += [escape(whole[at : found.start()]), mark(term, found[0])]
            at = found.end()
    return Markup("").join((*parts, escape(whole[at:])))
