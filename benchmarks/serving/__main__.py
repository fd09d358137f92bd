"""`python -m benchmarks.serving` measures the embedded server; its command `results` renders a record as Markdown."""

import json
import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from benchmarks import machine
from benchmarks.serving import tables
from benchmarks.serving.pinning import Cores, pinned
from imdb_core.errors import SettingsError
from imdb_core.file_names import DEFAULT_MODEL
from imdb_core.files import write_json
from imdb_core.user_paths import UserPath
from imdb_core.workspace import workspace_path
from pipeline.cli import ActionableErrors
from serving.names import MODELS_FOLDER
from serving.releases.versions import read_versions


@click.group(cls=ActionableErrors, invoke_without_command=True)
@click.option(
    "--model",
    type=UserPath(exists=True, file_okay=False, path_type=Path),
    help="Folder of a SavedModel; the newest pushed version by default.",
)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="Rounds, which are compared.")
@click.option("--seconds", default=2.0, show_default=True, help="Duration of each measurement in a round.")
@click.option("--soak", default=60.0, show_default=True, help="Seconds under load while versions change; 0 skips it.")
@click.option("--swap", default=5.0, show_default=True, help="Seconds between new versions in the soak.")
@click.option(
    "--flag", "flags", multiple=True, help="A flag for the server, such as --flag=--enable_batching=true; repeatable."
)
@click.option(
    "--peers", is_flag=True, help="Measure Ray Serve and LitServe too; `make bench-serving` makes their environments."
)
@click.option("--out", type=UserPath(path_type=Path, dir_okay=False), help="Write the JSON record here.")
@click.pass_context
def main(
    context: click.Context,
    *,
    model: Path | None,
    rounds: int,
    seconds: float,
    soak: float,
    swap: float,
    flags: tuple[str, ...],
    peers: bool,
    out: Path | None,
) -> None:
    """Measure `serve_text` through the embedded server, as ratios to calling it in-process.

    The server and the in-process calls have one core, and the clients another. All are measured in turn, in several
    rounds; what is shown is the median of the rounds, and of the ratios within a round.
    """
    if context.invoked_subcommand:
        return
    from benchmarks.serving import measure
    from benchmarks.serving.peers.launching import PEERS
    from benchmarks.serving.peers.measure import peer_rows
    from benchmarks.serving.texts import FULL_LENGTH, SHORT

    cores = Cores.first_two()

    console = Console(highlight=False, soft_wrap=True)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
    path = model or _newest_version()
    console.print(f"Model: {path}")
    for peer in PEERS if peers else ():
        if not peer.python.exists():
            console.print(f"{peer.title} is left out: `make bench-serving` makes its environment.")
    record: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "benchmarks.serving", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine.describe(),
        "load": machine.load(),
    }
    with tempfile.TemporaryDirectory(prefix="imdb-bench-serving-") as folder, pinned(cores.clients):
        setup = measure.ServingSetup(path, cores, flags, Path(folder))
        record["rounds"] = []
        for one in measure.rounds(setup, seconds, rounds):
            record["rounds"].append(one)
            console.print(f"Round {len(record['rounds'])} of {rounds} is done.")
        record["parts"] = measure.parts_of_a_request(setup, FULL_LENGTH)
        record["soak"] = measure.soak(setup, soak, swap) if soak else None
        if peers:
            record["peers"] = peer_rows(setup, rounds * seconds, (SHORT, FULL_LENGTH))
    if out:
        write_json(out, record)
    for table in tables.all_tables(record):
        console.print(table.drawn())


@main.command("results")
@click.argument("file", type=UserPath(exists=True, dir_okay=False, path_type=Path))
def render(file: Path) -> None:
    """Render a record as Markdown, for docs/results.md."""
    click.echo(tables.markdown(json.loads(file.read_text())), nl=False)


def _newest_version() -> Path:
    base = workspace_path() / MODELS_FOLDER / DEFAULT_MODEL
    versions = read_versions(base)
    if not versions:
        raise SettingsError(f"{base} holds no version of a model; run the pipeline first, or give --model")
    return versions[max(versions)].path


if __name__ == "__main__":
    main()
