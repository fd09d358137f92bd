"""The work of `imdb-attention predict` and `explain`."""

import atexit
import io
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from imdb_core.provenance import sample_notice
from imdb_core.records import in_batches
from imdb_core.reviews.unpacking import HEAD
from imdb_core.settings import TableSettings
from serving.client.client import Client
from serving.client.results import Explanation, Prediction
from serving.client.review_files import Review, are_json_lines, find_files, is_table, parse_reviews, read_reviews
from serving.client.tls import TLS
from serving.predict.output_files import json_line, written_atomically
from serving.predict.page import page
from serving.predict.terminal import show_explanation, show_prediction

_STANDARD_INPUT: Final = "-"

Shown = TypeVar("Shown", bound=Prediction)


def predict(
    texts: tuple[str, ...],
    pattern: str | None,
    output: Path | None,
    *,
    table: TableSettings,
    as_json: bool,
    server: Mapping[str, Any],
) -> None:
    """Predicts the sentiment of reviews, and prints the predictions or writes them to a file.

    Args:
        texts: The reviews. Without any, and with `-`, they come from standard input, unless there is a pattern.
        pattern: Path or glob of files with reviews.
        output: File for the predictions as JSON lines; None prints them.
        table: How the files and standard input are read.
        as_json: Whether to print JSON lines.
        server: The command line's options of the server.

    Raises:
        ReviewPipelineError: See `serving.client.errors`.
        click.UsageError: No reviews are given, or both texts and a pattern.
    """
    reviews, count = _reviews(texts, pattern, output, table)
    with _client(server) as client:
        answers = _answers(client.predict, reviews, client.batch_size)
        if output:
            _write(answers, output, count)
            return
        _print(answers, show_prediction, as_json=as_json)


def explain(
    texts: tuple[str, ...],
    pattern: str | None,
    html: Path | None,
    *,
    limit: int,
    effects: bool,
    table: TableSettings,
    as_json: bool,
    server: Mapping[str, Any],
) -> None:
    """Explains the sentiment of reviews, and prints the explanations or writes a page to the file `html`.

    Args:
        texts: As in `predict`.
        pattern: As in `predict`.
        html: The file for the page; None prints the explanations.
        limit: The most reviews on the page.
        effects: Whether to measure how much each word matters.
        table: As in `predict`.
        as_json: Whether to print JSON lines.
        server: The command line's options of the server.

    Raises:
        ReviewPipelineError: See `serving.client.errors`.
        click.UsageError: No reviews are given.
    """
    reviews, count = _reviews(texts, pattern, html, table)
    with _client(server) as client:
        ask = partial(client.explain, effects=effects)
        # With effects, each review is a batch of its own.
        size = 1 if effects else client.batch_size
        if html:
            _write_page(partial(_answers, ask, size=size), reviews, html, limit, count)
            return
        answers = _answers(ask, reviews, size)
        _print(answers, show_explanation, as_json=as_json)


def _answers(
    ask: Callable[[Sequence[str]], Sequence[Shown]], reviews: Iterable[Review], size: int
) -> Iterator[tuple[Review, Shown]]:
    """Asks for the reviews in batches, and says once that the model learned from invented ones, if it did."""
    told = False
    for batch in in_batches(reviews, size):
        for review, shown in zip(batch, ask([review.text for review in batch]), strict=True):
            if not told and (notice := sample_notice(shown.trained_on)):
                _tell(f"note: {notice}")
                told = True
            yield review, shown


def _write(answers: Iterable[tuple[Review, Prediction]], output: Path, total: int | None) -> None:
    console = Console(stderr=True)
    columns = (TextColumn("reviews"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        written_atomically(output) as file,
        Progress(*columns, console=console, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("", total=total)
        for review, prediction in answers:
            file.write(json_line(review.origin, prediction.to_json()))
            bar.advance(task)
        count = int(bar.tasks[task].completed)
    click.echo(f"{count} predictions in {output}", err=True)


def _write_page(
    answers_to: Callable[[Iterable[Review]], Iterable[tuple[Review, Explanation]]],
    reviews: Iterator[Review],
    html: Path,
    limit: int,
    count: int | None,
) -> None:
    with written_atomically(html) as file:
        answers = [one for _, one in answers_to(islice(reviews, limit))]
        selection = None
        if next(reviews, None) is not None:
            of_all = f" of {count:,}" if count is not None else ""
            selection = f"The first {len(answers):,}{of_all} reviews; `--limit` sets how many are shown."
        file.write(page(answers, selection))
    count_shown = f"{len(answers):,} review{'s' * (len(answers) != 1)}"
    _tell(f"wrote {html}: {selection or count_shown}")


def _print(answers: Iterable[tuple[Review, Shown]], show: Callable[[Shown, Console], None], *, as_json: bool) -> None:
    console = Console()
    for review, prediction in answers:
        if as_json:
            # JSON is UTF-8, whatever the encoding of standard output.
            sys.stdout.buffer.write(json_line(review.origin, prediction.to_json()).encode())
        else:
            show(prediction, console)
        sys.stdout.flush()  # what is known is seen, whatever ends the process


def _reviews(
    texts: tuple[str, ...], pattern: str | None, output: Path | None, table: TableSettings
) -> tuple[Iterator[Review], int | None]:
    if texts and pattern:
        raise click.UsageError("both TEXT and --input are given; give one")
    if pattern and pattern != _STANDARD_INPUT:
        files = find_files(pattern, output)
        # Validate all lines before the first request, or an error in the last line could show after an hour.
        count = sum(1 for _ in read_reviews(files, table=table, tell=_tell))
        return read_reviews(files, table=table), count
    if texts and texts != (_STANDARD_INPUT,):
        if file := next((text for text in texts if os.path.isfile(text)), None):
            raise click.UsageError(
                f"{file} is a file; did you mean --input {shlex.quote(file)}? To predict these words themselves, pipe "
                f"them in: echo {shlex.quote(file)} | {click.get_current_context().command_path} -"
            )
        # Python decodes bytes that are not UTF-8 in arguments to halves of surrogate pairs.
        typed = [text.encode(errors="surrogateescape").decode(errors="replace") for text in texts]
        return (Review(text, {}) for text in typed), len(typed)
    stream = sys.stdin.buffer
    if stream.isatty() and not texts and not pattern:
        raise click.UsageError("no review: give TEXT, or --input FILE, or pipe reviews in")
    if stored := _stored(stream, table):
        # Kept until the process ends, because the reviews are read later.
        count = sum(1 for _ in read_reviews([stored], table=table, tell=_tell))
        return read_reviews([stored], table=table), count
    return parse_reviews(stream, "standard input", json_lines=are_json_lines(table)), None


def _stored(stream: IO[bytes], table: TableSettings) -> Path | None:
    """Stores standard input in a file if it is a table or packed; returns None for lines that are read as they come."""
    start = stream.peek(HEAD)[:HEAD] if isinstance(stream, io.BufferedReader) else b""
    if not is_table(start, table):
        return None
    with tempfile.NamedTemporaryFile(prefix="standard-input-", delete=False) as file:
        shutil.copyfileobj(stream, file)
    path = Path(file.name)
    atexit.register(path.unlink, missing_ok=True)
    return path


def _tell(sentence: str) -> None:
    click.echo(sentence, err=True)


def _client(server: Mapping[str, Any]) -> Client:
    # The error already contains what gRPC would print about a failed connection.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    files = (server["tls_root_certs"], server["tls_cert"], server["tls_key"])
    return Client(
        server["target"],
        server["model"],
        version=server["version"],
        label=server["label"],
        deadline=server["deadline"],
        tls=TLS(*files) if server["tls"] or any(files) else None,
    )
