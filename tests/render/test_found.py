"""The page of what was found: pictures, and text that means no good."""

from html.parser import HTMLParser

from kit import case_of, photo

from doubleread.core.case import Case
from doubleread.core.evidence import Neighbour
from doubleread.rag.case_search import SimilarCases
from doubleread.render.html import found_page

EVIL = """</style><script>alert('1')</script>"><img src=x onerror=alert(2)> & ' [bold]"""


def neighbour(name, label, similarity, **fields):
    return Neighbour(case_id=case_of(name).id, label=label, similarity=similarity, source=name, **fields)


class Page(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.links, self.text = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href") or name.startswith("on")]

    def handle_data(self, data):
        self.text += data


def test_the_page_shows_pictures_and_fetches_nothing(tmp_path):
    path = photo(tmp_path / "one.png", 0, 1)
    gone = neighbour("far/gone.png", "scab", 0.5, path=tmp_path / "gone.png")
    same = neighbour("a.png", "rust", 0.9, path=path).model_copy(update={"case_id": Case.from_file(path).id})
    found = SimilarCases(query=str(path), encoder="enc-1", neighbours=(same, gone), held_as="rust")
    page = Page(found_page(found, "12 cases", picture=path))
    assert page.tags.count("img") == 2
    assert all(link.startswith("data:image/webp;base64,") for link in page.links)
    for words in ("Cases like one.png", "12 cases", "0.900", "0.500", "no picture", "gone.png", "as rust, and left"):
        assert words in page.text
    assert "far/" not in page.text


def test_each_label_has_a_heading():
    found = SimilarCases(
        query="spots", encoder="enc-1", neighbours=(neighbour("a", "rust", 0.9), neighbour("b", "scab", 0.8))
    )
    assert Page(found_page(found, "", each=True)).tags.count("h4") == 2
    assert Page(found_page(found, "")).tags.count("h4") == 1


def test_text_stays_text():
    evil = neighbour(EVIL.replace("/", "∕"), EVIL, 0.9, group=EVIL)
    found = SimilarCases(query=EVIL, encoder=EVIL, neighbours=(evil,), held_as=EVIL)
    for each in (False, True):
        page = Page(found_page(found, EVIL, each=each))
        assert {"script", "img"}.isdisjoint(page.tags)
        assert page.links == []
        assert page.tags.count("style") == 1
        assert page.text.count(EVIL) == 6 + each


def test_nothing_found_is_said():
    page = Page(found_page(SimilarCases(query="spots", encoder="enc-1", neighbours=()), "0 cases"))
    assert "No case passes the filters" in page.text
