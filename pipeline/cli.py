"""`imdb-attention`: the project's own command. Nothing heavy is imported before a command needs it."""

import json
import os
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from imdb_core.errors import ReviewPipelineError, RunError
from pipeline.settings.toml import toml_value
from pipeline.study.command import compare
from pipeline.tfx_cli.command import pipeline_options, run_pipeline, settings_environment
from serving.predict.cli import explain, predict
from serving.releases.cli import models_group
from serving.server.cli import serve

if TYPE_CHECKING:
    from rich.console import Console

_WIDE: Final = 200


class ActionableErrors(click.Group):
    """A group whose commands end with one message, not a traceback, when the error is the user's to mend."""

    def invoke(self, ctx: click.Context) -> Any:
        """See click."""
        try:
            return super().invoke(ctx)
        except ReviewPipelineError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(error.exit_code)


@click.group(cls=ActionableErrors, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Movie reviews in, a served and explainable sentiment model out."""


def _settings_options() -> list[click.Parameter]:
    return [option for option in pipeline_options() if option.name in ("config", "overrides")]


def _run(config: Path | None, overrides: tuple[str, ...], verbose: bool) -> None:
    """Run the pipeline on this machine; the same as `tfx run create --pipeline pipeline/`."""
    run_pipeline(Path(__file__).parent, config, overrides, verbose=verbose)


main.add_command(
    click.Command(
        "run",
        callback=_run,
        help=_run.__doc__,
        params=[option for option in pipeline_options() if option.name != "pipeline"],
    )
)


@main.group("config")
def config_group() -> None:
    """Look at the settings."""


def _show(config: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Print the effective settings, as a TOML file, and where each comes from."""
    from pipeline.settings.config import flatten
    from pipeline.settings.environment import settings_from_environment

    # As `run` would find them: what the environment says counts where no option says otherwise.
    settings = settings_from_environment({**os.environ, **settings_environment(config, overrides)})
    values = flatten(settings.config)
    if as_json:
        click.echo(
            json.dumps(
                {key: {"value": value, "from": settings.origins[key]} for key, value in values.items()}, indent=2
            )
        )
        return
    for key, value in values.items():
        line = f"{key} = {toml_value(value)}"
        click.echo(f"{line:<60} # {settings.origins[key]}")


config_group.add_command(
    click.Command(
        "show",
        callback=_show,
        help=_show.__doc__,
        params=[*_settings_options(), click.Option(["--json", "as_json"], is_flag=True, help="For programs.")],
    )
)


def _metadata() -> tuple[Any, Path]:
    """How to reach ML Metadata, and the workspace: as a run with the same environment would."""
    from imdb_core.workspace import workspace_path
    from pipeline.settings.environment import settings_from_environment
    from pipeline.workspace.metadata_connection import metadata_connection

    workspace = workspace_path()
    connection = metadata_connection(settings_from_environment().config.metadata, workspace)
    if connection.HasField("sqlite") and not Path(connection.sqlite.filename_uri).exists():
        raise RunError(f"no run yet in {workspace}; make one with `imdb-attention run`, or set IMDB_WORKSPACE")
    return connection, workspace


@main.command()
@click.argument("run", required=False)
@click.option("--no-open", is_flag=True, help="Write the page and print where it is, but open no browser.")
def report(run: str | None, no_open: bool) -> None:
    """Build the page of RUN again from its artifacts, and open it.

    RUN is an id that `imdb-attention runs` shows, or the name of a folder in reports/; the newest by default.
    """
    # TensorFlow's native start-up lines, where TFDV is needed.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pipeline.report.build import write_page

    page = write_page(*_metadata(), run)
    click.echo(page)
    if not no_open:
        webbrowser.open(page.as_uri())


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def runs(as_json: bool) -> None:
    """List past runs, the newest first: outcome, accuracy of both modes, cached nodes, configuration."""
    from pipeline.history import tables
    from pipeline.history.runs import past_runs

    connection, workspace = _metadata()
    found = past_runs(connection, workspace)
    if as_json:
        click.echo(json.dumps([tables.describe_run(run) for run in found], indent=2))
    else:
        _console().print(tables.runs_table(found))


@main.command()
@click.argument("version")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def lineage(version: str, as_json: bool) -> None:
    """Walk from a pushed VERSION back to its data, as ML Metadata recorded it."""
    from pipeline.history import tables
    from pipeline.history.lineage import trace

    step = trace(_metadata()[0], version)
    if as_json:
        click.echo(json.dumps(step.to_json(), indent=2))
    else:
        _console().print(tables.lineage_tree(step))


def _console() -> "Console":
    """A console as wide as the terminal; what goes into a file or a pipe is not cut."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() else _WIDE)


for command in (compare, serve, predict, explain, models_group):
    main.add_command(command)

if __name__ == "__main__":
    main()
