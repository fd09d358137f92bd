"""`imdb-attention`: the project's own command. Each command imports what it needs when it runs."""

import json
import os
import platform
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imdb_core.disk import full_disk_as_one_line
from imdb_core.errors import ReviewPipelineError, RunError
from imdb_core.packages import DISTRIBUTION, FRAMEWORKS, package_versions
from imdb_core.stopping import Stopped, stopped_by_signals
from imdb_core.workspace import workspace_path
from pipeline.study.cli import compare
from pipeline.tfx_cli.command import pipeline_options, run_pipeline, settings_environment
from serving.predict.cli import explain, predict
from serving.releases.cli import models_group
from serving.server.cli import serve

if TYPE_CHECKING:
    from rich.console import Console


class ActionableErrors(click.Group):
    """A group whose commands end with one message, not a traceback, for an error that the user can fix or a signal."""

    def invoke(self, ctx: click.Context) -> Any:
        """See click."""
        try:
            with stopped_by_signals(), full_disk_as_one_line(workspace_path()):
                return super().invoke(ctx)
        except Stopped as stopped:
            click.echo(str(stopped), err=True)
            ctx.exit(stopped.exit_code)
        except ReviewPipelineError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(error.exit_code)


def _show_versions(context: click.Context, _: click.Parameter, *, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    found = {"Python": platform.python_version(), **package_versions((DISTRIBUTION, *FRAMEWORKS))}
    click.echo(f"{DISTRIBUTION} {found.pop(DISTRIBUTION, 'not installed')}")
    click.echo(", ".join(f"{name} {version}" for name, version in found.items()))
    context.exit()


@click.group(cls=ActionableErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, parameter, value: _show_versions(context, parameter, wanted=value),
    help="Show the versions of this project, Python and the frameworks.",
)
def main() -> None:
    """Movie reviews in, a served and explainable sentiment model out."""


def _options(*names: str) -> list[click.Parameter]:
    return [option for option in pipeline_options() if option.name in names]


_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@main.command(params=_options("config", "overrides", "verbose"))
def run(config: Path | None, overrides: tuple[str, ...], verbose: bool) -> None:
    """Run the pipeline on this machine; the same as `tfx run create --pipeline pipeline/`."""
    run_pipeline(Path(__file__).parent, config, overrides, verbose=verbose)


@main.group("config")
def config_group() -> None:
    """Inspect the settings."""


@config_group.command(params=_options("config", "overrides"))
@_json_option
def show(config: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Print the effective settings as TOML, with the origin of each value."""
    from pipeline.settings import flatten, settings_from_environment, toml_value

    # As for `run`, an option replaces the environment variable of the same purpose.
    settings = settings_from_environment({**os.environ, **settings_environment(config, overrides)})
    values = flatten(settings.config)
    if as_json:
        described = {key: {"value": value, "from": settings.origins[key]} for key, value in values.items()}
        click.echo(json.dumps(described, indent=2))
        return
    for key, value in values.items():
        line = f"{key} = {toml_value(value)}"
        click.echo(f"{line:<60} # {settings.origins[key]}")


def _metadata() -> tuple[Any, Path]:
    """Returns the connection to ML Metadata and the workspace that a run with the same environment would use."""
    from pipeline.settings import settings_from_environment
    from pipeline.workspace.metadata_connection import metadata_connection

    workspace = workspace_path()
    connection = metadata_connection(settings_from_environment().config.metadata, workspace)
    if connection.HasField("sqlite") and not Path(connection.sqlite.filename_uri).exists():
        raise RunError(f"no run yet in {workspace}; make one with `imdb-attention run`, or set IMDB_WORKSPACE")
    return connection, workspace


@main.command()
@click.argument("run", required=False)
@click.option("--no-open", is_flag=True, help="Write the page and print its path, but do not open it.")
def report(run: str | None, no_open: bool) -> None:
    """Rebuild the page of RUN from its artifacts, and open it.

    RUN is an id that `imdb-attention runs` shows, or the name of a folder in reports/; the newest by default.
    """
    # Silences the start-up lines of TensorFlow's native code, which TFDV loads.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pipeline.report.page import write_page

    page = write_page(*_metadata(), run)
    click.echo(page)
    if not no_open:
        webbrowser.open(page.as_uri())


@main.command()
@_json_option
def runs(as_json: bool) -> None:
    """List past runs, newest first: outcome, accuracy of both modes, cached nodes, settings."""
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
@_json_option
def lineage(version: str, as_json: bool) -> None:
    """Trace a pushed VERSION back to its data in ML Metadata."""
    from pipeline.history import tables
    from pipeline.history.lineage import trace

    step = trace(_metadata()[0], version)
    if as_json:
        click.echo(json.dumps(step.to_json(), indent=2))
    else:
        _console().print(tables.lineage_tree(step))


def _console() -> "Console":
    """Returns a console as wide as the terminal; output to a file or a pipe is not cut to 80 columns."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() else 200)


for command in (compare, serve, predict, explain, models_group):
    main.add_command(command)

if __name__ == "__main__":
    main()
