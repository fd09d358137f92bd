from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text

from serving.client.results import Explanation, explanation, prediction
from serving.predict.terminal import show_explanation, show_prediction

EXPLANATION = Explanation(
    "Not a [red]film[/red] for me\x1b[2J :smile: " + "and so on " * 10,
    "negative",
    0.8125,
    {"negative": 0.8125, "positive": 0.1875},
    7,
    ["[START]", "not", "a", "red", "film", "red", "for", "me\x1b", "2j", "smile", *["and", "so", "on"] * 10],
    [0.0, 0.5, *[0.0] * 37, 0.25][:40],
)


def shown(show, explained: Explanation = EXPLANATION, **settings) -> str:
    console = Console(file=io.StringIO(), width=60, _environ={}, **{"force_terminal": True, **settings})
    show(explained, console)
    return console.file.getvalue()


def test_a_prediction_is_one_line_on_a_terminal() -> None:
    text = shown(show_prediction, color_system="truecolor")
    (line,) = text.splitlines()
    assert "negative" in line
    assert " 81.2 %  Not a [red]film[/red] for me\ufffd[2J :smile: …" in line


def test_a_prediction_in_a_pipe_is_three_columns() -> None:
    text = shown(show_prediction, force_terminal=False)
    label, probability, review = text.removesuffix("\n").split("\t")
    assert (label, probability) == ("negative", "0.8125")
    assert review == " ".join(EXPLANATION.text.replace("\x1b", "\ufffd").split())


def test_words_are_shaded_by_their_attention() -> None:
    text = shown(show_explanation, color_system="truecolor")
    assert "\x1b[30;48;2;240;120;0mNot\x1b[0m" in text  # the strongest
    assert " a [" in text  # no attention, no shade
    assert "[red]film[/red]" in text  # not taken for markup
    assert "\x1b[2J" not in text
    assert "81.2 %" in text
    assert "50.0 %" in text  # the attention of the strongest shade
    assert "model version 7" in " ".join(without_escapes(text).split())
    assert max(map(len, without_escapes(text).splitlines())) <= 60


def without_escapes(text: str) -> str:
    return Text.from_ansi(text).plain


def test_a_terminal_with_16_colours() -> None:
    text = shown(show_explanation, color_system="standard")
    assert "\x1b[30;43mNot\x1b[0m" in text
    assert "\x1b[30;103mon\x1b[0m" in text


@pytest.mark.parametrize("settings", [{"force_terminal": False}, {"no_color": True}, {"color_system": None}])
def test_without_colours_each_word_follows_its_attention(settings: dict[str, object]) -> None:
    lines = shown(show_explanation, **settings).splitlines()
    assert lines[0] == "negative\t0.8125"
    assert lines[1:4] == ["0.0000\t[START]", "0.5000\tnot", "0.0000\ta"]
    assert len(lines) == 1 + len(EXPLANATION.tokens)


def explained(text: str, tokens: list[str], known: list[bool]) -> Explanation:
    weights = [1 / len(tokens)] * len(tokens)
    return explanation(prediction(text, [0.75, 0.25], 7), tokens, weights, known)


def test_unknown_words_are_underlined_and_counted() -> None:
    one = explained("A zzzz film", ["[START]", "a", "zzzz", "film"], [True, True, False, True])
    text = shown(show_explanation, one, color_system="truecolor")
    assert "\x1b[4;30;48;2;240;120;0mzzzz\x1b[0m" in text
    assert "underlined: not in the vocabulary (1 of 3 words)" in " ".join(without_escapes(text).split())
    assert "75.0 %" in text
    lines = shown(show_explanation, one, force_terminal=False).splitlines()
    assert lines[2:] == ["0.2500\ta", "0.2500\tzzzz\tnot in the vocabulary", "0.2500\tfilm"]


@pytest.mark.parametrize(
    ("one", "notice"),
    [
        (explained("", ["[START]"], [True]), "empty"),
        (explained("?!", ["[START]"], [True]), "empty"),
        (explained("Zzzz zz", ["[START]", "zzzz", "zz"], [True, False, False]), "no known word"),
    ],
)
def test_a_notice_replaces_the_probability(one: Explanation, notice: str) -> None:
    for show in (show_prediction, show_explanation):
        text = without_escapes(shown(show, one, color_system="truecolor"))
        assert text.startswith(notice)
        assert "75.0 %" not in text.splitlines()[0]
        assert "negative" not in text
        assert shown(show, one, force_terminal=False).split("\n")[0].split("\t")[:2] == [notice, "-"]


EFFECTS = Explanation(
    "Good, not dull",
    "positive",
    0.75,
    {"negative": 0.25, "positive": 0.75},
    7,
    ["[START]", "good", "not", "dull"],
    [0.1, 0.4, 0.3, 0.2],
    effects=(None, 0.5, 0.0, -0.125),
)


def test_effects_are_a_column_in_a_pipe() -> None:
    text = shown(show_explanation, EFFECTS, force_terminal=False)
    assert text.splitlines() == [
        "positive\t0.7500",
        "0.1000\t-\t[START]",
        "0.4000\t+0.5000\tgood",
        "0.3000\t+0.0000\tnot",
        "0.2000\t-0.1250\tdull",
    ]


def test_effects_colour_the_review_a_second_time_on_a_terminal() -> None:
    text = shown(show_explanation, EFFECTS, color_system="truecolor")
    assert "\x1b[1;32mGood\x1b[0m" in text
    assert "\x1b[31mdull\x1b[0m" in text
    plain = " ".join(without_escapes(text).split())
    assert plain.count("Good, not dull") == 2
    assert "the strongest changes the probability by 50.0 points" in plain
