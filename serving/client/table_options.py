"""The options that say how files of reviews are read, the same for all commands that read reviews."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])

_AUTO: Final = "auto"
_FORMATS: Final = (_AUTO, "csv", "tsv", "jsonl", "json", "parquet", "text")

_NAMES: Final = ("format", "text_column", "delimiter", "quote", "escape", "encoding", "header")

_OPTIONS: Final = (
    click.option(
        "--format",
        "format",
        type=click.Choice(_FORMATS),
        default=_AUTO,
        show_default=True,
        help="Format of the reviews; auto recognises it by the content, then by the name.",
    ),
    click.option("--jsonl", "json_lines", is_flag=True, help="The same as --format jsonl."),
    click.option(
        "--text-column", default=_AUTO, help="Column of the text in tables: a name, a path in JSON, or a number."
    ),
    click.option("--delimiter", default=_AUTO, help="Character between the fields of CSV, or tab."),
    click.option("--quote", default=_AUTO, help="Character around the fields of CSV, or none."),
    click.option("--escape", default=_AUTO, help="Character before a quote in a field of CSV, or none."),
    click.option("--encoding", default=_AUTO, help="Encoding of the text, such as latin-1."),
    click.option("--header", type=click.Choice((_AUTO, "yes", "no")), default=_AUTO, help="Whether CSV has a header."),
)


def table_options(command: _Command) -> _Command:
    """Adds the options to a command; it passes them to `table_settings`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def table_settings(options: dict[str, Any], **more: Any) -> Any:
    """Takes the options out of a command's arguments, and returns the `TableSettings`.

    Args:
        options: The arguments; those of other options stay.
        more: More of the settings.

    Raises:
        click.UsageError: `--jsonl` and another format are given.
    """
    from imdb_core.settings import TableSettings

    json_lines = options.pop("json_lines")
    given = {name: options.pop(name) for name in _NAMES}
    if json_lines and given["format"] not in (_AUTO, "jsonl"):
        raise click.UsageError(f"both --jsonl and --format {given['format']} are given; give one")
    if json_lines:
        given["format"] = "jsonl"
    return TableSettings(**given, **more)
