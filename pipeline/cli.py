"""`imdb-attention`: the project's own command. Nothing heavy is imported before a command needs it."""

import json
import os
from pathlib import Path
from typing import Any

import click

from components.errors import ReviewPipelineError
from pipeline import tfx_command
from pipeline.settings_file import toml_value
from pipeline.study_command import compare
from serving.client.cli import explain, predict
from serving.releases.cli import models_group
from serving.server.cli import serve


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
    return [option for option in tfx_command.pipeline_options() if option.name in ("config", "overrides")]


def _run(config: Path | None, overrides: tuple[str, ...], verbose: bool) -> None:
    """Run the pipeline on this machine; the same as `tfx run create --pipeline pipeline/`."""
    tfx_command.run_pipeline(Path(__file__).parent, config, overrides, verbose=verbose)


main.add_command(
    click.Command(
        "run",
        callback=_run,
        help=_run.__doc__,
        params=[option for option in tfx_command.pipeline_options() if option.name != "pipeline"],
    )
)


@main.group("config")
def config_group() -> None:
    """Look at the settings."""


def _show(config: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Print the effective settings, as a TOML file, and where each comes from."""
    from pipeline.config import flatten, settings_from_environment  # noqa: PLC0415 - `--help` answers without it

    # As `run` would find them: what the environment says counts where no option says otherwise.
    settings = settings_from_environment({**os.environ, **tfx_command.settings_environment(config, overrides)})
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

for command in (compare, serve, predict, explain, models_group):
    main.add_command(command)

if __name__ == "__main__":
    main()
