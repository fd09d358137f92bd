"""Options of `imdb-attention predict` and `explain`. A command imports its code when it runs."""

import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from imdb_core.file_names import DEFAULT_MODEL
from imdb_core.user_paths import UserPath
from serving.client.table_options import table_options, table_settings
from serving.names import DEFAULT_TARGET

_Command = TypeVar("_Command", bound=Callable[..., Any])

_existing_file = UserPath(exists=True, dir_okay=False, path_type=Path)
_new_file = UserPath(dir_okay=False, path_type=Path)

_SERVER_OPTIONS: Final = (
    click.option(
        "--server",
        "target",
        default=DEFAULT_TARGET,
        show_default=True,
        metavar="HOST:PORT",
        help="gRPC; http://HOST:PORT or https://HOST:PORT for REST.",
    ),
    click.option("--model", default=DEFAULT_MODEL, show_default=True, help="Name of the model."),
    click.option("--version", type=click.IntRange(min=0), help="Number of the version."),
    click.option("--label", help="Label of the version. Default: stable if there is one, else the newest."),
    click.option(
        "--timeout",
        "deadline",
        type=click.FloatRange(min=0, min_open=True),
        default=30.0,
        show_default=True,
        help="Seconds for one request.",
    ),
    click.option("--tls", is_flag=True, help="Encrypt gRPC with the system's certificates."),
    click.option("--tls-root-certs", type=_existing_file, help="Certificates to trust instead (PEM)."),
    click.option("--tls-cert", type=_existing_file, help="The client's certificate, if the server requires one (PEM)."),
    click.option("--tls-key", type=_existing_file, help="Private key of --tls-cert (PEM)."),
)
_INPUT: Final = click.option(
    "--input", "pattern", metavar="FILE|GLOB", help="Reviews: a table, JSON lines, an archive, or text with one a line."
)
_AS_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")


# Not the start of an option, and dropped again: it shows that an argument is a text.
_TEXT: Final = "\0"
_OPTION: Final = re.compile(r"-{1,2}[\w-]+(=|$)")


class _TextsCommand(click.Command):
    """A command whose arguments are texts, which may start with a dash, as in `-1/10 would not watch again`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Takes arguments with a dash and a blank for texts, unless they are options or their values."""
        with_value = {
            name
            for option in self.params
            if isinstance(option, click.Option) and not option.is_flag
            for name in option.opts
        }
        before = ["", *args]
        marked = [
            f"{_TEXT}{arg}" if _is_text(arg) and previous not in with_value and "--" not in args[:place] else arg
            for place, (previous, arg) in enumerate(zip(before, args, strict=False))
        ]
        try:
            return super().parse_args(ctx, marked)
        except click.NoSuchOption as error:
            raise click.UsageError(
                f"{error.format_message()} A text that starts with a dash stands after `--`: "
                f"{ctx.command_path} -- {shlex.quote(next((arg for arg in args if arg.startswith('-')), ''))}",
                ctx,
            ) from None


def _is_text(argument: str) -> bool:
    return argument.startswith("-") and any(map(str.isspace, argument)) and not _OPTION.match(argument)


def _texts(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    del context, parameter
    return tuple(value.removeprefix(_TEXT) for value in values)


def _options(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.command(cls=_TextsCommand)
@click.argument("texts", nargs=-1, metavar="[TEXT]...", callback=_texts)
@_INPUT
@click.option(
    "--output", type=_new_file, help="File for the predictions as JSON lines; it appears when it is complete."
)
@table_options
@_AS_JSON
@click.option("--beam", is_flag=True, help="Run the model here as a Beam pipeline, without a server.")
@click.option(
    "--saved-model",
    type=UserPath(exists=True, file_okay=False, path_type=Path),
    help="Model for --beam. Default: the version in $IMDB_WORKSPACE/models that a server would use.",
)
@_options(*_SERVER_OPTIONS)
def predict(
    *,
    texts: tuple[str, ...],
    pattern: str | None,
    output: Path | None,
    as_json: bool,
    beam: bool,
    saved_model: Path | None,
    **options: Any,
) -> None:
    """Predict the sentiment of reviews: TEXTs, lines of files, or lines of standard input (-).

    Works with any TensorFlow Serving. Prints one line for each review, in order.
    """
    if saved_model and not beam:
        raise click.UsageError("--saved-model needs --beam; with a server, --model names the model")
    if beam and (texts or not pattern or not output or as_json):
        raise click.UsageError("--beam needs --input and --output, and takes neither TEXT nor --json")
    table = table_settings(options)
    if beam and pattern and output:
        version = options["label"] or (None if options["version"] is None else str(options["version"]))
        _predict_with_beam(pattern, output, saved_model, table, model=options["model"], version=version)
        return
    from serving.predict import commands

    commands.predict(texts, pattern, output, table=table, as_json=as_json, server=options)


@click.command(cls=_TextsCommand)
@click.argument("texts", nargs=-1, metavar="[TEXT]...", callback=_texts)
@_INPUT
@click.option("--html", type=_new_file, help="Write a web page to this file instead.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="The most reviews on the web page."
)
@click.option("--effects", is_flag=True, help="Show too how much each word matters: the answer without it.")
@table_options
@_AS_JSON
@_options(*_SERVER_OPTIONS)
def explain(
    *,
    texts: tuple[str, ...],
    pattern: str | None,
    html: Path | None,
    limit: int,
    effects: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Show the sentiment of reviews, and each word's attention as the shade of its background.

    Words that are not in the model's vocabulary are underlined. Takes TEXTs, files, or standard input (-) with one
    review a line. In a pipe it prints the attention and the word instead, one word a line.

    Attention shows where the model looked: not why, and not in which direction. --effects leaves out each word in turn
    and shows how that changes the answer.
    """
    from serving.predict import commands

    table = table_settings(options)
    commands.explain(texts, pattern, html, limit=limit, effects=effects, table=table, as_json=as_json, server=options)


def _predict_with_beam(
    pattern: str,
    output: Path,
    saved_model: Path | None,
    table: Any,
    *,
    model: str,
    version: str | None,
) -> None:
    from imdb_core.provenance import sample_notice
    from imdb_core.workspace import workspace_path
    from serving.client.review_files import find_files

    files = find_files(pattern, output)  # before seconds of imports
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # A server predicts on the CPU. A user who sets this variable can have a GPU.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    from serving.predict import bulk

    if saved_model is None:
        saved_model = bulk.released_model(workspace_path(), model, version)
    count = bulk.predict_in_bulk(saved_model, files, output, table)
    if notice := sample_notice(bulk.Reading(saved_model).trained_on):
        click.echo(f"note: {notice}", err=True)
    click.echo(f"{count} predictions of {saved_model} in {output}", err=True)
