"""The pipeline on this machine; `tfx` executes this file. It takes its settings from the environment."""

import os
import sys

# Before TensorFlow is imported: its native start-up lines say nothing of ours.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> None:
    """Runs the pipeline and prints the outcome; exits with 1 or 2 and one message if it did not succeed."""
    from imdb_core import workspace
    from imdb_core.errors import ReviewPipelineError
    from pipeline.settings import environment

    try:
        settings = environment.settings_from_environment()
        from pipeline.running import outcome, runner

        verbose = os.environ.get(environment.VERBOSE_VARIABLE, "") not in ("", "0")
        run = runner.run_pipeline(settings, workspace.workspace_path(), verbose=verbose)
        if run is not None:
            outcome.report(run)
    except KeyboardInterrupt:
        print("interrupted; the same command continues where it was", file=sys.stderr)
        sys.exit(130)
    except ReviewPipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
