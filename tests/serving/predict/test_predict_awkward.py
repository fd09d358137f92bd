"""Awkward texts on a terminal, in a pipe and as a page: the time grows with their length alone."""

from __future__ import annotations

import dataclasses
import io
import time

import pytest
from awkward_texts import AWKWARD_TEXTS, MEGABYTE, SECONDS
from rich.console import Console

from imdb_core.tokens import words
from serving.client.results import Explanation
from serving.predict.page import page
from serving.predict.terminal import show_explanation, show_prediction


@pytest.mark.parametrize("text", AWKWARD_TEXTS.values(), ids=AWKWARD_TEXTS)
def test_every_way_to_show_a_text(text: str) -> None:
    tokens = words(text)[-200:]
    explanation = Explanation(
        text=text,
        label="positive",
        probability=0.9,
        probabilities={"negative": 0.1, "positive": 0.9},
        model_version=1,
        tokens=tuple(tokens),
        attention=tuple(1 / len(tokens) for _ in tokens),
    )
    started = time.process_time()
    assert page([explanation])
    for terminal in (True, False):
        console = Console(file=io.StringIO(), force_terminal=terminal, color_system="truecolor", width=80)
        show_prediction(explanation, console)
        # rich needs 60 microseconds a line.
        show_explanation(dataclasses.replace(explanation, text=text[-MEGABYTE // 10 :]), console)
    assert time.process_time() - started < 4 * SECONDS  # many times what it takes, and far from quadratic
