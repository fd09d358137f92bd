"""The site of the documents: all pages, no dead link, and nothing from elsewhere."""

import functools
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from browser import DESKTOP, PHONE, opened

ROOT = Path(__file__).parents[2]
MKDOCS = [Path(sys.executable).parent / "mkdocs", "build", "--strict"]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def build(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    command = [*MKDOCS, "--site-dir", folder, *options]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_every_document_is_a_page(site: Path) -> None:
    documents = {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in ROOT.glob("docs/**/*.md")}
    pages = {path.relative_to(site).with_suffix("").as_posix() for path in site.glob("**/*.html")}
    assert pages == documents | {"index", "contributing", "changelog", "404"}


def test_links_lead_from_the_readme_to_pages_and_name_what_is_no_page(site: Path) -> None:
    assert 'href="serving.html"' in (site / "index.html").read_text()
    assert 'href="adr/0001-keras-3.html"' in (site / "index.html").read_text()
    assert "<code>components/mode_selector</code>" in (site / "contributing.html").read_text()


def test_the_python_api_has_the_docstrings(site: Path) -> None:
    page = (site / "api.html").read_text()
    for name in ("serving.client.Client", "serving.client.Client.explain", "pipeline.settings.PipelineConfig"):
        assert f'id="{name}"' in page


@pytest.mark.slow
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_page_takes_nothing_from_elsewhere(browser, address: str, size: tuple[int, int]) -> None:
    with opened(browser, f"{address}/serving.html", size) as watched:
        watched.page.wait_for_load_state("networkidle")
        watched.assert_clean()
        assert watched.page.inner_text("h1").startswith("Serving")


def test_a_dead_link_is_an_error(tmp_path: Path) -> None:
    for name in ("docs", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("mkdocs.yml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "docs" / "api.md").write_text("# Python API\n\nSee [nothing](nothing.md#there).\n")
    done = build(tmp_path / "site", "--config-file", str(tmp_path / "mkdocs.yml"))
    assert done.returncode != 0
    assert "nothing.md" in done.stderr
