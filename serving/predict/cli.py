"""`imdb-attention predict` and `explain`: their options. What they do is imported when a command is called."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

# Names of serving.client.client, whose import takes longer than all of `--help`.
_DEFAULT_TARGET: Final = "localhost:8500"
_DEFAULT_MODEL: Final = "imdb_attention"

_Command = TypeVar("_Command", bound=Callable[..., Any])

_existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_new_file = click.Path(dir_okay=False, path_type=Path)

_SERVER_OPTIONS: Final = (
    click.option(
        "--server",
        "target",
        default=_DEFAULT_TARGET,
        show_default=True,
        metavar="HOST:PORT",
        help="gRPC; http://HOST:PORT or https://HOST:PORT for REST.",
    ),
    click.option("--model", default=_DEFAULT_MODEL, show_default=True, help="Name of the model."),
    click.option("--version", type=click.IntRange(min=0), help="A certain version of it."),
    click.option("--label", help="The version with this label. Default: stable if there is one, else the newest."),
    click.option(
        "--timeout",
        "deadline",
        type=click.FloatRange(min=0, min_open=True),
        default=30.0,
        show_default=True,
        help="Seconds that a request may take.",
    ),
    click.option("--tls", is_flag=True, help="Encrypt gRPC, trusting the system's certificates."),
    click.option("--tls-root-certs", type=_existing_file, help="Trust these instead (PEM)."),
    click.option("--tls-cert", type=_existing_file, help="Certificate of the client, if the server wants one (PEM)."),
    click.option("--tls-key", type=_existing_file, help="Its key (PEM)."),
)
_JSON_OPTIONS: Final = (
    click.option("--jsonl", "json_lines", is_flag=True, help="What comes in are JSON lines, whatever the file's name."),
    click.option("--json", "as_json", is_flag=True, help="Print JSON lines."),
)


def _options(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.command()
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option(
    "--input", "pattern", metavar="FILE|GLOB", help="Reviews: JSON lines with `text`, or one a line; .gz too."
)
@click.option("--output", type=_new_file, help="JSON lines; the file appears when all are predicted.")
@_options(*_JSON_OPTIONS)
@click.option("--beam", is_flag=True, help="Ask no server: run the model here as a Beam pipeline.")
@click.option(
    "--saved-model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="For --beam. Default: the version in $IMDB_WORKSPACE/models that a server would answer with.",
)
@_options(*_SERVER_OPTIONS)
def predict(
    *,
    texts: tuple[str, ...],
    pattern: str | None,
    output: Path | None,
    json_lines: bool,
    as_json: bool,
    beam: bool,
    saved_model: Path | None,
    **server: Any,
) -> None:
    """Tell the sentiment of reviews: TEXTs, the lines of files, or standard input (also as -), one a line.

    Asks any TensorFlow Serving. Each answer is one line, in the order of the reviews.
    """
    if saved_model and not beam:
        raise click.UsageError("--saved-model needs --beam; with a server, --model names the model")
    if beam and (texts or not pattern or not output or as_json):
        raise click.UsageError("--beam needs --input and --output, and takes neither TEXT nor --json")
    from serving.predict import commands

    if beam and pattern and output:
        version = server["label"] or (None if server["version"] is None else str(server["version"]))
        commands.predict_with_beam(
            pattern, output, saved_model, json_lines=json_lines, model=server["model"], version=version
        )
        return
    commands.predict(texts, pattern, output, json_lines=json_lines, as_json=as_json, server=server)


@click.command()
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option("--html", type=_new_file, help="Write a web page instead.")
@_options(*_JSON_OPTIONS)
@_options(*_SERVER_OPTIONS)
def explain(*, texts: tuple[str, ...], html: Path | None, json_lines: bool, as_json: bool, **server: Any) -> None:
    """Show what each sentiment rests on: the review, each word's background shaded by its attention.

    Takes TEXTs, or standard input (also as -), one review a line. In a pipe there are no shades, but a line for each
    word, after its attention.
    """
    from serving.predict import commands

    commands.explain(texts, html, json_lines=json_lines, as_json=as_json, server=server)
