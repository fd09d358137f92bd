"""The parts that all pages of results share, as Markdown for docs/results.md."""

from collections.abc import Iterable, Iterator


def page(lines: Iterable[str]) -> str:
    """Joins lines into a page that ends with one newline."""
    return "\n".join(lines).rstrip("\n") + "\n"


def section(title: str, *command: str) -> Iterator[str]:
    """Yields the heading of a section, and the command that made its figures, line by line."""
    yield from [f"## {title}", "", "```sh", *command, "```", ""]


def versions(packages: Iterable[tuple[str, str]]) -> str:
    """Lists packages with their versions in one line."""
    return ", ".join(f"{name} {version}" for name, version in packages)
