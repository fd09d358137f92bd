"""`tfx run create --pipeline`: registers a local pipeline with TFX and runs it, in one step.

TFX needs two commands for this and executes the pipeline file in each, which takes ten seconds of imports every time;
here it is executed once. `hook.py` loads this file into TFX's command line under a private name, so it imports nothing
of this project.
"""

import json
import os
import runpy
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import click
from click.core import ParameterSource

from imdb_core.user_paths import UserPath

CONFIG_VARIABLE: Final = "IMDB_CONFIG"
SET_VARIABLE: Final = "IMDB_SET"
VERBOSE_VARIABLE: Final = "IMDB_VERBOSE"

# The name that imdb_core.workspace has for it.
WORKSPACE_VARIABLE: Final = "IMDB_WORKSPACE"

RUNNER_FILE: Final = "local_runner.py"


def extend(commands: ModuleType) -> None:
    """Adds `--pipeline`, `--config`, `--set` and `--verbose` to TFX's `run create`; a second call changes nothing.

    Args:
        commands: The module `tfx.tools.cli.commands.run`.

    Raises:
        TypeError: TFX's command has a form that this function does not support.
    """
    command: click.Command = commands.create_run
    options = {option.name: option for option in command.params}
    if "pipeline" in options:
        return
    name = options["pipeline_name"]
    create_run = command.callback
    if not isinstance(name, click.Option) or create_run is None:
        raise TypeError("TFX's `run create` has changed: expected an option pipeline_name and a callback")

    def create_run_or_pipeline(
        pipeline: str | None, config: Path | None, overrides: Sequence[str], verbose: bool, **tfx_options: Any
    ) -> None:
        context = click.get_current_context()
        if pipeline is None:
            ours = {"--config": config, "--set": overrides, "--verbose": verbose}
            alone = next((option for option, given in ours.items() if given), None)
            if alone:
                raise click.UsageError(f"{alone} needs --pipeline.")
            if tfx_options["pipeline_name"] is None:
                raise click.MissingParameter(ctx=context, param=name)
            create_run(**tfx_options)
            return
        for key, value in tfx_options.items():
            given = context.get_parameter_source(key) is not ParameterSource.DEFAULT
            if given and not (key == "engine" and value in ("auto", "local")):
                raise click.UsageError(f"--pipeline cannot be combined with --{key}: it runs a pipeline file locally.")
        run_pipeline(pipeline, config, overrides, verbose=verbose)

    name.required = False
    name.help = f"{name.help}; required without --pipeline"
    command.params[:0] = pipeline_options()
    command.callback = create_run_or_pipeline


def pipeline_options() -> list[click.Option]:
    """Creates the options `pipeline`, `config`, `overrides` and `verbose`, the arguments of `run_pipeline`."""
    return [
        click.Option(
            ["--pipeline"],
            metavar="PATH",
            help=f"Register this local pipeline and run it: a Python file, or a folder that holds {RUNNER_FILE}.",
        ),
        click.Option(
            ["--config"],
            type=UserPath(exists=True, dir_okay=False, path_type=Path),
            help="TOML file with settings of the pipeline.",
        ),
        click.Option(
            ["--set", "overrides"],
            metavar="SECTION.KEY=VALUE",
            multiple=True,
            callback=_check_assignments,
            help="A setting that replaces the one in --config; may be repeated.",
        ),
        click.Option(["--verbose"], is_flag=True, help="Show the logs of TFX, Beam and TensorFlow."),
    ]


def run_pipeline(pipeline: str | Path, config: Path | None, overrides: Sequence[str], *, verbose: bool = False) -> None:
    """Creates or updates a local pipeline in TFX's registry, then runs it: once, in this process, like `python FILE`.

    Args:
        pipeline: A Python file that calls `LocalDagRunner().run()`, or a folder that holds `local_runner.py`.
        config: A settings file, which the pipeline receives in the environment variable IMDB_CONFIG.
        overrides: Assignments `section.key=value`, which the pipeline receives in IMDB_SET as a JSON list.
        verbose: Whether to show the logs of all libraries; the pipeline receives IMDB_VERBOSE=1.

    Raises:
        click.ClickException: The file does not exist, or it ran no pipeline.
        SystemExit: The file exited with a status other than 0, or raised an exception. The traceback of the exception
            is printed first, from the frame of the file on.
    """
    file = pipeline_file(pipeline)
    _require_home()
    os.environ.update(settings_environment(config, overrides, verbose=verbose))
    _register_and_run(file)


def pipeline_file(pipeline: str | Path) -> Path:
    """Returns the absolute path of the file that `--pipeline` names.

    Raises:
        click.ClickException: The file does not exist.
    """
    path = Path(os.path.expanduser(pipeline)).absolute()
    file = path / RUNNER_FILE if path.is_dir() else path
    if file.is_file() and file.suffix == ".py":
        return file
    if path.is_dir():
        problem = f"the folder holds no {RUNNER_FILE}"
    elif path.exists():
        problem = "not a Python file"
    else:
        problem = "no such file or folder"
    raise click.ClickException(
        f"--pipeline {pipeline}: {problem}; expected a .py file, or a folder that holds {RUNNER_FILE}."
    )


def settings_environment(config: Path | None, overrides: Sequence[str], *, verbose: bool = False) -> Mapping[str, str]:
    """Returns the environment variables that pass settings to a pipeline file, which receives no arguments."""
    file = {CONFIG_VARIABLE: str(config.absolute())} if config else {}
    assignments = {SET_VARIABLE: json.dumps(list(overrides))} if overrides else {}
    return file | assignments | ({VERBOSE_VARIABLE: "1"} if verbose else {})


def _require_home() -> None:
    """Gives TFX, which keeps its registry in the home folder, another one if there is none that can be written."""
    home = os.environ.get("HOME") or os.path.expanduser("~")
    try:
        os.makedirs(os.path.join(home, "tfx", "local"), exist_ok=True)
    except OSError as error:
        other = os.path.join(
            os.path.abspath(os.path.expanduser(os.environ.get(WORKSPACE_VARIABLE) or "workspace")), "home"
        )
        click.echo(f"The home folder {home} cannot be written ({error.strerror}); TFX's registry is in {other}.")
        home = other
    os.environ["HOME"] = home


def _check_assignments(context: click.Context, option: click.Parameter, values: Sequence[str]) -> Sequence[str]:
    for value in values:
        key, equals, _ = value.partition("=")
        if not key.strip() or not equals:
            raise click.BadParameter(
                f"{value!r}; expected SECTION.KEY=VALUE, as in training.epochs=3.", context, option
            )
    return values


def _register_and_run(file: Path) -> None:
    from tfx.tools.cli import labels
    from tfx.tools.cli.handler import local_dag_runner_patcher, local_handler

    handler = local_handler.LocalHandler({labels.ENGINE_FLAG: labels.LOCAL_ENGINE, labels.PIPELINE_DSL_PATH: str(file)})

    class RegisterThenRun(local_dag_runner_patcher.LocalDagRunnerPatcher):  # type: ignore[misc]  # TFX is untyped
        def __init__(self) -> None:
            super().__init__()
            self._call_real_run = True

        def _before_run(self, runner: Any, pipeline: Any, context: Mapping[str, str]) -> None:
            name = context[self.PIPELINE_NAME]
            known = Path(handler._get_pipeline_info_path(name)).exists()
            handler._save_pipeline({labels.PIPELINE_NAME: name, labels.PIPELINE_ROOT: context[self.PIPELINE_ROOT]})
            click.echo(f'Pipeline "{name}" {"updated" if known else "created"} successfully.')

    patcher = RegisterThenRun()
    with patcher.patch():
        _execute(file)
    if not patcher.run_called:
        raise click.ClickException(f"{file} ran no pipeline; expected it to call LocalDagRunner().run() when executed.")


def _execute(file: Path) -> None:
    """Executes a file like `python FILE`, in this process."""
    # TFX's `execute_dsl` would leave the `tfx` script in `sys.modules["__main__"]`, which a real run needs.
    arguments = sys.argv
    sys.argv = [str(file)]
    sys.path.insert(0, os.path.dirname(os.path.realpath(file)))
    try:
        runpy.run_path(str(file), run_name="__main__")
    except SystemExit as status:
        if status.code not in (None, 0):
            raise
    except Exception as error:
        # Leaves out the frames above the user's file.
        trace = error.__traceback__
        while trace and trace.tb_frame.f_code.co_filename != str(file):
            trace = trace.tb_next
        traceback.print_exception(type(error), error, trace)
        sys.exit(1)
    finally:
        sys.path.pop(0)
        sys.argv = arguments
