"""The pipeline on this machine. `tfx` executes this file, which takes its settings from the environment."""

import os
import sys

# Python and TFX put the folder of an executed file on the path, where the rooms of this package would be importable as
# top-level `settings`, `graph` and so on. The folder above it, which holds the packages, takes its place.
_FOLDER = os.path.dirname(os.path.realpath(__file__))
_ROOT = os.path.dirname(_FOLDER)
sys.path[:] = [_ROOT, *(entry for entry in sys.path if os.path.realpath(entry) not in (_FOLDER, _ROOT))]
# Packages of these names that something else has imported are not ours.
for _name in [name for name in sys.modules if name.partition(".")[0] == "imdb_core"]:
    if not str(getattr(sys.modules[_name], "__file__", "")).startswith(_ROOT + os.sep):
        del sys.modules[_name]

# Silences the start-up lines of TensorFlow's native code; it has to be set before TensorFlow is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> None:
    """Runs the pipeline and prints the outcome.

    If the run fails or is stopped, prints one message and exits with 1, with 2 for wrong settings, or with 128 plus the
    number of the signal.
    """
    from imdb_core import workspace
    from imdb_core.disk import full_disk_as_one_line
    from imdb_core.errors import ReviewPipelineError
    from imdb_core.start import prepare, use_own_packages
    from imdb_core.stopping import Stopped, stopped_by_signals

    prepare()
    use_own_packages(_ROOT)
    from pipeline import settings

    try:
        with stopped_by_signals(), full_disk_as_one_line(workspace.workspace_path()):
            given = settings.settings_from_environment()
            from pipeline.running import outcome, runner

            verbose = os.environ.get(settings.VERBOSE_VARIABLE, "") not in ("", "0")
            run = runner.run_pipeline(given, workspace.workspace_path(), verbose=verbose)
            if run is not None:
                outcome.report(run)
    except Stopped as stopped:
        print(f"{stopped}; the same command continues where it was", file=sys.stderr)
        sys.exit(stopped.exit_code)
    except ReviewPipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
