"""`python -m benchmarks` runs a benchmark; its commands `results`, `study` and `tuning` render records as Markdown."""

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from benchmarks import ablation, comparison, figures, linear, machine, results, study, tuning
from imdb_core.errors import SettingsError
from imdb_core.files import write_json
from imdb_core.user_paths import UserPath
from pipeline.cli import ActionableErrors

_FILE = UserPath(exists=True, dir_okay=False, path_type=Path)


@click.group(cls=ActionableErrors, invoke_without_command=True)
@click.option("--data", default="sample", show_default=True, help="`sample` or the path of an aclImdb .tar.gz.")
@click.option("--presets", default="blog", show_default=True, help="Comma-separated presets of the pipeline.")
@click.option("--skip-script", is_flag=True, help="Run only the pipeline.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of the script and the pipeline."
)
@click.option("--limit", type=int, help="Maximum number of reviews per split, for a quick look.")
@click.option("--set", "settings", multiple=True, metavar="SETTING=VALUE", help="Setting of the pipeline; repeat it.")
@click.option("--workspace", type=UserPath(path_type=Path), help="New or empty folder; a temporary folder by default.")
@click.option("--out", type=UserPath(path_type=Path, dir_okay=False), help="JSON record; in the workspace by default.")
@click.pass_context
def main(
    context: click.Context,
    *,
    data: str,
    presets: str,
    skip_script: bool,
    seed: int,
    limit: int | None,
    settings: tuple[str, ...],
    workspace: Path | None,
    out: Path | None,
) -> None:
    """Run the blog's plain script and the pipeline on the same data, and compare them."""
    if context.invoked_subcommand:
        return
    console = Console(highlight=False, soft_wrap=True)
    names = [name.strip() for name in presets.split(",") if name.strip()]
    fresh = Path(tempfile.gettempdir(), f"imdb-bench-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}")
    folder = (workspace or fresh).absolute()
    benchmark = comparison.Benchmark(data, names, folder, not skip_script, seed, limit, settings)
    file = out or folder / "benchmark.json"
    # A folder that cannot be made is found before the hour of measuring, not after it.
    file.parent.mkdir(parents=True, exist_ok=True)
    console.print(f"Workspace: {folder}")
    for warning in figures.warnings({"load": machine.load(), "machine": machine.describe()}):
        console.print(f"Warning: {warning}")
    record = comparison.run(benchmark)
    write_json(file, record)
    for table in (figures.quality, figures.cost, figures.nodes, figures.targets):
        console.print(table(record).drawn())
    for warning in figures.warnings(record):
        console.print(f"Warning: {warning}")
    console.print(f"Record: {file}")


@main.command("ablation")
@click.argument("change", metavar="SETTING=VALUE")
@click.option("--data", default="sample", show_default=True, help="`sample` or the path of an aclImdb .tar.gz.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of both runs.")
@click.option("--out", type=UserPath(path_type=Path, dir_okay=False), required=True, help="JSON record.")
def run_ablation(change: str, data: str, seed: int, out: Path) -> None:
    """Run the pipeline with the defaults and with one other SETTING, and compare the models."""
    setting, _, value = change.partition("=")
    try:
        wanted = ablation.Ablation(setting, json.loads(value), data, seed)
    except ValueError:
        raise SettingsError(f"{change!r}: expected SETTING=VALUE, such as transform.normalize=false") from None
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="imdb-ablation-") as folder:
        record = ablation.run(wanted, Path(folder))
    write_json(out, record)
    click.echo(ablation.markdown(record), nl=False)


@main.command("linear")
@click.option("--data", default="sample", show_default=True, help="`sample` or the path of an aclImdb .tar.gz.")
def run_linear(data: str) -> None:
    """Test a linear model under the limits of the network, and print its results as Markdown."""
    click.echo(linear.markdown(linear.run(data)), nl=False)


@main.command("results")
@click.argument("files", nargs=-1, required=True, type=_FILE)
def render_results(files: tuple[Path, ...]) -> None:
    """Render records of benchmarks as Markdown, for docs/results.md."""
    click.echo(results.markdown([_read(file) for file in files]), nl=False)


@main.command("study")
@click.argument("file", type=_FILE)
def render_study(file: Path) -> None:
    """Render the record of `imdb-attention compare` as Markdown, for docs/results.md."""
    record = _read(file, "between", "study", "`imdb-attention compare --output FILE` wrote")
    click.echo(study.markdown(record), nl=False)


@main.command("tuning")
@click.argument("file", type=_FILE)
def render_tuning(file: Path) -> None:
    """Render the search of a run with training.tune = true as Markdown, for docs/results.md."""
    record = _read(file, "tuning", "run", "`tfx run create --set training.tune=true` wrote as run.json")
    if not record["tuning"]:
        raise SettingsError(f"{file} records a run without a search; expected a run with training.tune = true")
    click.echo(tuning.markdown(record), nl=False)


def _read(
    file: Path, key: str = "targets", kind: str = "benchmark", origin: str = "`python -m benchmarks --out FILE` wrote"
) -> dict[str, Any]:
    try:
        record = json.loads(file.read_text())
    except ValueError:
        record = None
    if not isinstance(record, dict) or key not in record:
        raise SettingsError(f"{file} is not the record of a {kind}; expected a file that {origin}")
    return record


if __name__ == "__main__":
    main()
