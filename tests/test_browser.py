from pathlib import Path

from browser import PHONE, opened


def test_a_page_that_is_well_behaved_is_clean(browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<!DOCTYPE html><link rel=icon href='data:,'><p>hello")
    with opened(browser, page.as_uri(), PHONE) as watched:
        watched.assert_clean()
        assert watched.page.inner_text("p") == "hello"
        assert watched.page.evaluate("innerWidth") == PHONE[0]


def test_errors_and_requests_elsewhere_are_seen(browser, tmp_path: Path):
    page = tmp_path / "page.html"
    page.write_text("<!DOCTYPE html><img src='http://127.0.0.1:9/x.png'><script>nowhere()</script>")
    with opened(browser, page.as_uri()) as watched:
        watched.page.wait_for_load_state("networkidle")
        assert any("nowhere" in error for error in watched.errors)
        assert watched.requests == ["http://127.0.0.1:9/x.png"]
