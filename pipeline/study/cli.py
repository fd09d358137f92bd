"""`imdb-attention compare`: which mode and which preset is better, over several seeds."""

import os
import sys
from pathlib import Path

import click

from imdb_core.user_paths import UserPath
from pipeline.tfx_cli import command


def _compare(
    *, config: Path | None, overrides: tuple[str, ...], verbose: bool, presets: str, seeds: int, output: Path | None
) -> None:
    """Train both modes under each preset with several seeds, and report which differences are shown.

    Finished trainings are cached: the same command continues an interrupted study, and more seeds extend it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from imdb_core.workspace import workspace_path
    from pipeline.study.plan import plan

    # Wrong settings are reported before TensorFlow is imported.
    planned = plan(presets, seeds, config, overrides)
    workspace = workspace_path()
    try:
        from rich.console import Console

        from imdb_core.files import write_json
        from pipeline.study import run, tables

        record = run.run_study(planned, workspace, verbose=verbose)
        file = workspace / "studies" / record["name"] / run.RECORD_FILE
        for path in (file, output):
            if path is not None:
                write_json(path, record)
        tables.report(record, file, Console(highlight=False))
    except KeyboardInterrupt:
        click.echo("interrupted; the same command continues where it was", err=True)
        sys.exit(130)


compare = click.Command(
    "compare",
    callback=_compare,
    help=_compare.__doc__,
    params=[
        click.Option(
            ["--seeds"], type=int, default=5, show_default=True, help="Number of seeds, counted from training.seed."
        ),
        click.Option(["--presets"], default="attention,blog", show_default=True, help="Comma-separated names."),
        click.Option(
            ["--output"], type=UserPath(dir_okay=False, path_type=Path), help="Also write the JSON record here."
        ),
        *(option for option in command.pipeline_options() if option.name != "pipeline"),
    ],
)
