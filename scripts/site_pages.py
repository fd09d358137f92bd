"""What the site has beside the pages in docs: those at the top of the repository, and the list of decisions.

MkDocs calls the functions here by their names. A link to something of the repository that is no page becomes its path.
"""

import posixpath
import re
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_ROOT: Final = Path(__file__).parents[1]
_TOP: Final = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
_LINK: Final = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)#]+)(#[^)]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fills the list of decisions in the navigation."""
    decisions = [f"adr/{path.name}" for path in sorted((_ROOT / "docs/adr").glob("*.md"))]
    config.nav = [{"Decisions": decisions} if "Decisions" in entry else entry for entry in config.nav or ()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages at the top of the repository."""
    for source, page in _TOP.items():
        files.append(File.generated(config, page, content=(_ROOT / source).read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lets links lead to pages of the site."""
    del config
    own = page.file.src_uri
    source = next((top for top, name in _TOP.items() if name == own), f"docs/{own}")

    def on_site(link: re.Match[str]) -> str:
        text, target, anchor = link[1], link[2], link[3] or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        name = _TOP.get(path, path.removeprefix("docs/"))
        if path == "docs/adr":
            name = "adr/0001-keras-3.md"
        if files.get_file_from_path(name) is None and (_ROOT / path).exists():
            return text if text.startswith("`") else f"`{path}`"
        return f"[{text}]({posixpath.relpath(name, posixpath.dirname(own) or '.')}{anchor})"

    return _LINK.sub(on_site, markdown)
