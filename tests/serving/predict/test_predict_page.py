from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from serving.client.results import Explanation, prediction
from serving.client.results import explanation as predicted
from serving.predict.page import page

VOID = {"meta"}
ELEMENTS = {"html", "head", "meta", "title", "style", "body", "h1", "article", "h2", "span", "p", "small", "s"}
ELEMENTS |= {"div", "code"}


class Reader(HTMLParser):
    """Collects the elements, their attributes, and the text of each review."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.reviews: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "p":
            self.reviews.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "p" in self.open:
            self.reviews[-1] += data


def explanation(text: str, tokens: list[str] | None = None, attention: list[float] | None = None) -> Explanation:
    return Explanation(text, "negative", 0.75, {}, None, tokens or ["[START]"], attention or [1.0])


def test_a_page_shows_each_review_with_its_sentiment_and_shades() -> None:
    one = explanation("Not a film", ["[START]", "not", "a", "film"], [0.0, 0.5, 0.25, 0.25])
    text = page([one, explanation("long ago, a film", ["a", "film"], [0.5, 0.5])])
    reader = Reader(text)
    assert reader.reviews == ["[START] Not a film", "long ago, a film"]
    shades = [attributes for tag, attributes in reader.elements if tag == "span" and "style" in attributes]
    assert [(shade["style"], shade["title"]) for shade in shades] == [
        ("--strength: 0.000", "0.00 %"),
        ("--strength: 1.000", "50.00 %"),
        ("--strength: 0.500", "25.00 %"),
        ("--strength: 0.500", "25.00 %"),
        ("--strength: 1.000", "50.00 %"),
        ("--strength: 1.000", "50.00 %"),
    ]
    assert text.count('<span class="negative">negative</span> 75.0 %') == 2
    assert "the strongest shade is 50.0 % of the attention; the network reads the last 2 words only" in text
    assert "prefers-color-scheme: dark" in text


def test_a_page_has_no_scripts_and_no_external_resources() -> None:
    text = page([explanation("<script>alert(1)</script><img src=x onerror=alert(2)>")])
    reader = Reader(text)
    assert {tag for tag, _ in reader.elements} <= ELEMENTS
    assert not re.search(r"https?:|//|url\(|@import|javascript:", text.replace(reader.reviews[0], ""))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), max_size=3))
def test_reviews_are_escaped(texts: list[str]) -> None:
    words = [["[START]"], ["[START]", "<b>", "&"], ["&amp;"]]
    pages = page(explanation(text, words[place], [0.1] * len(words[place])) for place, text in enumerate(texts))
    reader = Reader(pages)
    assert {tag for tag, _ in reader.elements} <= ELEMENTS
    assert len(reader.reviews) == len(texts)
    assert all(set(attributes) <= {"style", "title", "class"} for tag, attributes in reader.elements if tag == "span")


def test_a_page_marks_unknown_words_and_says_what_the_model_learned_from() -> None:
    said = prediction("A zzz film", [0.75, 0.25], 3, trained_on="sample")
    one = predicted(said, ["[START]", "a", "zzz", "film"], [0.25] * 4, [True, True, False, True])
    empty = predicted(prediction("?!", [0.75, 0.25], 3), ["[START]"], [1.0], [True])
    text = page([one, empty], "The first 2 of 9 reviews; `--limit` sets how many are shown.")
    assert 'class="unknown" style="--strength: 1.000" title="25.00 %, not in the vocabulary">zzz</span>' in text
    assert text.count('class="unknown"') == 1
    assert "underlined: not in the vocabulary (1 of 3 words)" in text
    assert "<h2>empty</h2>" in text
    assert "the review has no word, so the model has no opinion on it" in text
    assert text.count("75.0 %") == 1
    assert "The model was trained on invented reviews: <code>--set data.source=imdb</code> for real ones." in text
    assert "The first 2 of 9 reviews; <code>--limit</code> sets how many are shown." in text
    assert {tag for tag, _ in Reader(text).elements} <= ELEMENTS
    assert "invented" not in page([empty])


def test_a_page_says_what_attention_is_and_shows_effects_that_were_asked_for() -> None:
    made = Explanation(
        "Good & dull",
        "positive",
        0.75,
        {"negative": 0.25, "positive": 0.75},
        7,
        ["[START]", "good", "dull"],
        [0.2, 0.5, 0.3],
        effects=(None, 0.5, -0.125),
    )
    shown = page([made])
    assert "not in which direction" in shown
    assert '<span class="raises" style="--weight: 1.000" title="+50.0 points">Good</span> &amp; ' in shown
    assert '<span class="lowers" style="--weight: 0.250" title="-12.5 points">dull</span>' in shown
    assert "effects" not in page([dataclasses.replace(made, effects=None)]).partition("</style>")[2]
