"""`imdb-attention compare`: which mode and which preset is better, over several seeds."""

import os
import sys
from pathlib import Path

import click

from pipeline.tfx_cli import command


def _compare(
    *, config: Path | None, overrides: tuple[str, ...], verbose: bool, presets: str, seeds: int, output: Path | None
) -> None:
    """Train both modes under each preset with several seeds, and say what differs and what does not.

    What is trained already is not trained again: interrupted, or asked for more seeds, it continues.
    """
    # Imports after this point, so that `--help` answers without them, and a wrong setting without TensorFlow.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from imdb_core.workspace import workspace_path
    from pipeline.study.plan import plan

    planned = plan(presets, seeds, config, overrides)
    workspace = workspace_path()
    try:
        from rich.console import Console

        from imdb_core import files
        from pipeline.study import run, tables

        record = run.run_study(planned, workspace, verbose=verbose)
        file = workspace / "studies" / record["name"] / run.RECORD_FILE
        for copy in (file, output):
            if copy is not None:
                files.write_json(copy, record)
        tables.report(record, file, Console(highlight=False))
    except KeyboardInterrupt:
        click.echo("interrupted; the same command continues where it was", err=True)
        sys.exit(130)


compare = click.Command(
    "compare",
    callback=_compare,
    help=_compare.__doc__,
    params=[
        click.Option(["--seeds"], type=int, default=5, show_default=True, help="How many; the first: training.seed."),
        click.Option(["--presets"], default="attention,blog", show_default=True, help="With commas between."),
        click.Option(
            ["--output"], type=click.Path(dir_okay=False, path_type=Path), help="Write the record, JSON, here too."
        ),
        *(option for option in command.pipeline_options() if option.name != "pipeline"),
    ],
)
