"""The page in a real browser."""

import re
import shutil
from itertools import pairwise

import pytest
from browser import DESKTOP, PHONE, opened
from made_explanations import HOSTILE
from made_runs import FAILED, PUSHED, VERSION, MadeRuns

from imdb_core.errors import RunError
from pipeline.history.runs import find_run
from pipeline.report.page import write_page
from pipeline.workspace.run_names import FAILURE_FILE, RUN_FILE

pytestmark = pytest.mark.slow

SECTIONS = [
    "summary",
    "modes",
    "disagreement",
    "training",
    "attention",
    "faithfulness",
    "data",
    "pipeline",
    "lineage",
    "configuration",
]
TUNING = {
    "trials": [
        {"trial": 2, "eval_loss": 0.28, "values": {"model.dropout": 0.3, "training.batch_size": 64}},
        {"trial": 1, "eval_loss": 0.3, "values": {"model.dropout": 0.5, "training.batch_size": 64}},
    ],
    "best": {"model.dropout": 0.3, "training.batch_size": 64},
    "eval_loss": 0.28,
    "current_eval_loss": 0.3,
    "changed": {"model.dropout": [0.5, 0.3]},
}
# The smallest contrast of texts with their backgrounds: WCAG 2.2, 1.4.3.
CONTRAST = """
([selector]) => {
  const parse = text => {
    const found = text.match(/[\\d.]+/g).map(Number);
    const scale = text.startsWith('color(') ? 255 : 1;
    return [found[0] * scale, found[1] * scale, found[2] * scale, found[3] ?? 1];
  };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const behind = element => element === null ? [255, 255, 255, 1]
    : over(parse(getComputedStyle(element).backgroundColor), behind(element.parentElement));
  const linear = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const luminance = color => 0.2126 * linear(color[0]) + 0.7152 * linear(color[1]) + 0.0722 * linear(color[2]);
  return Math.min(...[...document.querySelectorAll(selector)].filter(item => item.checkVisibility()).map(item => {
    const ground = behind(item), text = luminance(over(parse(getComputedStyle(item).color), ground));
    const [low, high] = [text, luminance(ground)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  }));
}
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    made = MadeRuns(tmp_path_factory.mktemp("made"))
    made.pushed_run()
    nodes = [
        {"node": "ImdbExampleGen", "state": "CACHED", "seconds": 0.1, "peak_megabytes": 800},
        {"node": "Transform", "state": "COMPLETE", "seconds": 75.0, "peak_megabytes": 2048},
    ]
    upstream = {"ImdbExampleGen": [], "Transform": ["ImdbExampleGen"]}
    told = {"seconds": 90.0, "versions": {"tfx": "1.16.0"}, "tuning": TUNING}
    made.record(PUSHED, RUN_FILE, nodes=nodes, upstream=upstream, **told)
    return write_page(made.connection, made.workspace)


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "light"), (PHONE, "dark")])
def test_the_page_is_clean_legible_and_no_wider_than_the_screen(browser, page, tmp_path, size, scheme):
    with opened(browser, page.as_uri(), size, scheme) as watched:
        watched.page.screenshot(path=tmp_path / "page.png", full_page=True)
        watched.page.wait_for_load_state("networkidle")
        watched.assert_clean()
        assert watched.page.evaluate("document.documentElement.scrollWidth") == size[0]
        for selector in ("p, li, th, td, h1, h2, h3, summary, figcaption, small, .bar a", ".review span", ".pill"):
            assert watched.page.evaluate(CONTRAST, [selector]) >= 4.5, selector
    assert (tmp_path / "page.png").stat().st_size > 50_000


def test_the_navigation_leads_to_every_section(browser, page):
    with opened(browser, page.as_uri()) as watched:
        assert watched.page.eval_on_selector_all("nav a", "all => all.map(a => a.hash.slice(1))") == SECTIONS
        for name in SECTIONS:
            assert watched.page.locator(f"#{name}").count() == 1
        assert watched.page.inner_text("h1") == "No difference shown; scalar attention was chosen"
        text = watched.page.inner_text("main")
        for shown in (
            f"pushed as version {VERSION}",
            "5 no_text",
            "Out of <range>",
            "1 min 15 s",
            "2.0 GiB",
            "training.epochs",
            "does not distinguish its attention from chance",
            "words weigh the same",
        ):
            assert shown in text
        assert watched.page.locator("figure svg[aria-label]").count() >= 15


def test_what_the_tuner_tried_is_shown(browser, page):
    with opened(browser, page.as_uri()) as watched:
        text = watched.page.inner_text("#configuration")
        assert "eval loss 0.2800, the best of 2 trials; instead of 0.3000, with model.dropout 0.3 (was 0.5)." in text
        rows = watched.page.eval_on_selector_all(
            "[aria-label='What the Tuner tried'] tr",
            "all => all.map(row => [...row.cells].map(cell => cell.innerText))",
        )
        assert rows == [
            ["trial", "eval log loss", "dropout", "batch size"],
            ["settings of the run", "", "0.5", "64"],
            ["1", "0.3000", "", ""],
            ["2 (best)", "0.2800", "0.3", ""],
        ]


def test_a_script_in_a_review_is_text(browser, page):
    with opened(browser, page.as_uri()) as watched:
        assert watched.page.title() != "taken"
        assert HOSTILE in watched.page.locator("#attention .review").first.inner_text()
        assert watched.page.locator("script, .review img").count() == 0
        assert watched.page.locator(".bars b", has_text="<b>dull</b>").count() == 1
        watched.assert_clean()


def test_words_are_shaded_by_their_weight(browser, page):
    with opened(browser, page.as_uri()) as watched:
        words = watched.page.eval_on_selector_all(
            "details.example:nth-of-type(2) .grid2 > :first-child .review span",
            "all => all.map(word => [word.textContent, word.title, getComputedStyle(word).backgroundColor])",
        )
        opacity = {
            word: float(re.findall(r"[\d.]+", color)[3]) if color.count(",") == 3 or "/" in color else 1.0
            for word, _, color in words
        }
        assert [word for word, _, _ in words] == ["[START]", "A", "fine", "film", "with", "a", "dull", "end"]
        assert opacity["fine"] > opacity["dull"] > opacity["film"] > opacity["with"] > 0
        assert ("fine", "40.00%") in [(word, title) for word, title, _ in words]
        assert watched.page.locator("details.example .strip rect").count() > 0


def test_the_keyboard_reaches_sections_and_words(browser, page):
    with opened(browser, page.as_uri()) as watched:
        reached = []
        for _ in range(120):
            watched.page.keyboard.press("Tab")
            reached.append(
                watched.page.evaluate(
                    "[document.activeElement.textContent.trim(), document.activeElement.dataset.weight ?? '',"
                    " getComputedStyle(document.activeElement).outlineStyle]"
                )
            )
            if reached[-1][1]:
                break
        assert [text for text, _, _ in reached[:3]] == ["Skip to the content", "Summary", "Modes"]
        assert reached[-1][1].endswith("%")
        assert all(style == "solid" for _, _, style in reached)


def test_figures_share_no_ids(page):
    ids = re.findall(r'\bid="([^"]*)"', page.read_text())
    assert len(ids) == len(set(ids))


def test_the_same_run_gives_the_same_page(made):
    made.pushed_run()
    first = write_page(made.connection, made.workspace).read_text()
    assert write_page(made.connection, made.workspace).read_text() == first
    assert len(first) < 2_000_000


def test_a_run_without_explanations_has_a_note(made):
    made.pushed_run(explained=False)
    text = write_page(made.connection, made.workspace).read_text()
    assert "This run has no explanations" in text
    assert "Confusion" in text


@pytest.mark.parametrize("recorded", [False, True])
def test_a_failed_run_is_shown_as_far_as_it_got(browser, made, recorded):
    made.failed_run()
    if recorded:
        nodes = [{"node": "ImdbExampleGen", "state": "FAILED", "seconds": 1.0, "peak_megabytes": None}]
        made.record(FAILED, FAILURE_FILE, error="no <file>; mend it", nodes=nodes, upstream={"ImdbExampleGen": []})
    page = write_page(made.connection, made.workspace, FAILED)
    with opened(browser, page.as_uri()) as watched:
        watched.assert_clean()
        assert watched.page.inner_text("h1") == "The run failed"
        assert ("no <file>; mend it" in watched.page.inner_text("header")) == recorded
        assert watched.page.locator("rect.failed").count() == 1


def test_headings_go_down_one_level_at_a_time(page):
    levels = [int(level) for level in re.findall(r"<h(\d)", page.read_text())]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_a_page_is_not_replaced_by_one_for_which_artifacts_are_missing(made):
    made.pushed_run()
    page = write_page(made.connection, made.workspace)
    before = page.read_text()
    predictions = find_run(made.connection, made.workspace).artifact("Predictions.modes", "predictions")
    shutil.rmtree(predictions.uri)
    with pytest.raises(RunError, match=rf"of 1 outputs of run .* are gone, the first is {predictions.uri}; .* delete"):
        write_page(made.connection, made.workspace)
    assert page.read_text() == before
    # What the message advises.
    page.rename(page.with_name("old.html"))
    assert "Confusion" not in write_page(made.connection, made.workspace).read_text()
