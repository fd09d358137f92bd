"""The page at `/` in a real browser, on a real server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from browser import DESKTOP, PHONE, Watched, opened
from client_workspace import Workspace, write_workspace
from playwright.sync_api import Browser, Route, expect
from running_server import RunningServer, running_server

from serving.client.results import Explanation
from serving.client.shading import shaded

pytestmark = pytest.mark.slow

VERSIONS = {1: "imdb_attention", 2: "imdb_attention", 4: "unlabelled", 6: "sample"}
REVIEW = "Not a masterpiece, but never boring."
HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script> fine'


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return write_workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def server(workspace: Workspace) -> Iterator[RunningServer]:
    with served(workspace) as running:
        yield running


@contextmanager
def served(workspace: Workspace) -> Iterator[RunningServer]:
    """Starts a server and waits for every version; the ports open with the first."""
    config = f"--model_config_file={workspace.models}/models.config"
    with running_server(config, "--allow_version_labels_for_unavailable_models") as running:
        for version, path in VERSIONS.items():
            running.wait_for(path, version)
        yield running


@pytest.fixture
def watched(browser: Browser, server: RunningServer) -> Iterator[Watched]:
    with opened(browser, server.url) as page:
        yield page


def filled(watched: Watched, text: str) -> None:
    watched.page.locator("#text").fill(text)
    answered(watched, text)


def answered(watched: Watched, text: str) -> None:
    last = text.rsplit(maxsplit=1)[-1]
    expect(watched.page.locator("#answer:not(.stale) #review")).to_contain_text(last, timeout=20_000)


def test_typing_a_review_shows_sentiment_and_shaded_words(watched: Watched) -> None:
    page = watched.page
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.type(REVIEW)
    expect(page.locator("#review")).to_have_text(f"[START] {REVIEW}", timeout=20_000)
    assert page.inner_text("#label") in ("negative", "positive")
    assert 50 <= float(page.inner_text("#percent").removesuffix(" %")) <= 100
    words = page.locator("#review span")
    assert words.all_inner_texts() == ["[START]", "Not", "a", "masterpiece", "but", "never", "boring"]
    strengths = [float(word.evaluate("e => e.style.getPropertyValue('--strength')")) for word in words.all()]
    # TinySentiment gives the longest word the most attention.
    assert strengths == pytest.approx([7 / 11, 3 / 11, 1 / 11, 1, 3 / 11, 5 / 11, 6 / 11], abs=1e-3)
    shown = [word.evaluate("e => getComputedStyle(e).backgroundColor") for word in words.all()]
    assert shown[3] == "rgb(255, 152, 46)"
    assert "0.09" in shown[2]
    assert page.locator("#strongest li").first.inner_text() == "masterpiece 30.6 %"
    assert "The strongest shade is 30.6 % of the attention" in page.inner_text("#notes")
    assert page.locator("#verdict").get_attribute("aria-live") == "polite"
    watched.assert_clean()


def test_the_keyboard_reaches_the_examples_and_the_models(watched: Watched) -> None:
    page = watched.page
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#text")).to_have_value(page.locator("#examples button").first.inner_text())
    expect(page.locator("#review")).to_contain_text("boring", timeout=20_000)
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.id") == "model"
    watched.assert_clean()


def test_models_and_labels_can_be_chosen(watched: Watched) -> None:
    page = watched.page
    options = page.locator("#model option").all_inner_texts()
    assert options == [
        "imdb_attention: stable (1)",
        "imdb_attention: canary (2)",
        "imdb_attention: newest (2)",
        "unlabelled",
        "sample",
        "old",
    ]
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url) if sent.method == "POST" else None)
    filled(watched, REVIEW)
    page.select_option("#model", label="imdb_attention: canary (2)")
    expect(page.locator("#answer:not(.stale)")).to_be_visible()
    assert asked[0].endswith("/v1/models/imdb_attention/labels/stable:predict")
    page.wait_for_function("document.querySelector('#model').value.endsWith('canary')")
    page.wait_for_timeout(500)
    assert asked[-1].endswith("/v1/models/imdb_attention/labels/canary:predict")
    watched.assert_clean()


def test_a_model_without_attention_still_shows_the_sentiment(watched: Watched) -> None:
    watched.page.select_option("#model", "old")
    filled(watched, REVIEW)
    assert watched.page.inner_text("#review") == REVIEW
    assert watched.page.inner_text("#label") in ("negative", "positive")
    assert "no signature explain" in watched.page.inner_text("#notes")
    watched.assert_clean()


def test_what_the_model_learned_from_and_does_not_know_is_shown(watched: Watched) -> None:
    page, sample = watched.page, watched.page.locator("#sample")
    expect(sample).to_be_hidden()
    page.select_option("#model", "sample")
    expect(sample).to_have_text(
        "This model was trained on invented reviews: --set data.source=imdb for real ones.", timeout=20_000
    )
    filled(watched, "a zebra film")
    assert page.locator("#review .unknown").all_inner_texts() == ["zebra"]
    assert "dotted" in page.locator("#review .unknown").evaluate("e => getComputedStyle(e).textDecoration")
    assert "not in the vocabulary" in str(page.locator("#review .unknown").get_attribute("title"))
    assert "Underlined: not in the vocabulary (1 of 3 words)." in page.inner_text("#notes")
    assert page.locator("#scale").is_visible()
    for text, notice, meaning in (("zz zzz", "no known word", "knows no word"), ("?!", "empty", "has no word")):
        filled(watched, text)
        assert (page.inner_text("#label"), page.inner_text("#percent")) == (notice, "")
        assert meaning in page.inner_text("#notes")
        assert page.locator("#scale").is_hidden()
    page.select_option("#model", "unlabelled")
    expect(sample).to_be_hidden()
    watched.assert_clean()


def test_markup_in_a_review_is_shown_as_text(watched: Watched) -> None:
    page = watched.page
    page.locator("#text").press_sequentially(HOSTILE)
    answered(watched, HOSTILE)
    assert page.locator("#review").evaluate("e => e.textContent") == HOSTILE
    assert page.locator("#answer img, #answer script").count() == 0
    assert page.title() == "Where the model looked"
    watched.assert_clean()


def test_words_beyond_the_networks_length_are_dimmed(watched: Watched) -> None:
    filled(watched, " ".join(f"w{number}" for number in range(15)))
    assert watched.page.locator("#review s").all_inner_texts() == ["w0 w1 w2"]
    assert watched.page.locator("#review span").all_inner_texts() == [f"w{number}" for number in range(3, 15)]
    assert "reads the last 12 words only" in watched.page.inner_text("#notes")
    watched.assert_clean()


def test_an_older_answer_never_replaces_a_newer_one(watched: Watched) -> None:
    page = watched.page
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if "slowly" in (route.request.post_data or ""):
            held.append(route)
        else:
            route.continue_()

    page.route("**/*:predict", hold_the_first)
    page.locator("#text").fill("asked slowly")
    page.wait_for_timeout(400)
    filled(watched, "asked at once")
    assert len(held) == 1
    answer = {"probabilities": [0.0, 1.0], "tokens": ["[START]", "asked", "slowly"], "attention": [0.2, 0.4, 0.4]}
    held[0].fulfill(json={"predictions": [answer]})
    page.wait_for_timeout(300)
    assert page.inner_text("#review") == "[START] asked at once"
    assert watched.errors == []


def test_an_empty_text_hides_the_answer(watched: Watched) -> None:
    filled(watched, REVIEW)
    watched.page.locator("#text").fill("")
    expect(watched.page.locator("#answer")).to_be_hidden()
    watched.assert_clean()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE, (320, 600)])
def test_the_page_fits_every_screen(
    browser: Browser, server: RunningServer, size: tuple[int, int], scheme: str, tmp_path: Path
) -> None:
    with opened(browser, server.url, size, scheme) as watched:
        filled(watched, f"{REVIEW} {'endless' * 40} {REVIEW}")
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= size[0]
        dark = watched.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 20, 18)"
        assert dark == (scheme == "dark")
        watched.page.screenshot(path=tmp_path / f"{scheme}-{size[0]}.png", full_page=True)
        watched.assert_clean()


CUT = [
    "A <i>film</i>,<br />Don't!",
    "one<br/>two< BR >three</br>four<br clear='all'>five<brx>six",
    "ΤΕΛΟΣ Σίσυφος ΑΣ. straße STRASSE ſ İstanbul I ı ǅ ﬁn",
    "a\u00a0b\u2003c\u3000d\ufeffe\x1cf\x85g\u200bh",
    "nul\0l tab\tnew\nline\r\nbell\x07",
    "naïve cafe\u0301 👍🏽 𝒷𝑜𝓁𝒹 日本語。テスト עברית العربية",
    "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'",
    "'tis o'clock 'quoted'",
    "",
    "   ",
    "<br><br>",
    HOSTILE,
]


@pytest.mark.parametrize("text", [*CUT, *(f"{'word ' * 14}{text}" for text in CUT)])
def test_words_are_cut_as_in_python(watched: Watched, server: RunningServer, text: str) -> None:
    body = {"signature_name": "explain", "instances": [text]}
    answer = httpx.post(f"{server.url}/v1/models/unlabelled:predict", json=body, timeout=30).json()["predictions"][0]
    count = sum(token != "" for token in answer["tokens"])
    tokens, attention = answer["tokens"][:count], answer["attention"][:count]
    expected = shaded(Explanation(text, "negative", 0.5, {}, None, tokens, attention))
    pieces = watched.page.evaluate(
        "([text, tokens, attention]) => shaded(text, tokens, attention)", [text, tokens, attention]
    )
    assert [(piece["text"], piece["attention"], piece["read"]) for piece in pieces] == [
        (piece.text, piece.attention, piece.read) for piece in expected
    ]
    assert [piece["strength"] for piece in pieces] == pytest.approx([piece.strength for piece in expected])


def test_unmatched_words_are_shown_as_the_network_reads_them(watched: Watched) -> None:
    pieces = watched.page.evaluate("shaded('A film', ['[START]', 'an', 'other'], [0.2, 0.4, 0.4])")
    assert [piece["text"] for piece in pieces] == ["[START]", " ", "an", " ", "other", " "]


def test_a_missing_server_and_a_missing_model_are_explained(browser: Browser, workspace: Workspace) -> None:
    with served(workspace) as server, opened(browser, server.url) as watched:
        page = watched.page
        filled(watched, REVIEW)
        page.evaluate("document.querySelector('#model').selectedOptions[0].value = 'removed'")
        page.locator("#text").fill("again")
        problem = page.locator("#problem")
        expect(problem).to_contain_text("This model is not loaded", timeout=20_000)
        server.process.terminate()
        server.process.wait(30)
        page.locator("#text").fill("and again")
        expect(problem).to_contain_text("The server does not answer.", timeout=20_000)
        # The previous answer must not look current.
        expect(page.locator("#answer")).to_have_class(re.compile("stale"))


def test_the_page_may_run_only_its_own_script(server: RunningServer) -> None:
    response = httpx.get(server.url)
    policy = dict(part.split(" ", 1) for part in response.headers["content-security-policy"].split("; "))
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert policy["script-src"].startswith("'sha256-")
    assert policy["style-src"].startswith("'sha256-")
    assert not re.search(r"https?:|//[a-z]+\.|\son[a-z]+=|<link(?! rel=\"icon\" href=\"data:,\")", response.text)


def test_the_page_takes_no_other_methods(server: RunningServer) -> None:
    assert httpx.head(server.url).status_code == 200
    for method in ("POST", "PUT", "DELETE"):
        response = httpx.request(method, server.url)
        assert (response.status_code, response.json()) == (
            404,
            {"error": f"Not found: {method} /; the models are at /v1/models"},
        )
