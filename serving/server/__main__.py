"""`python -m serving.server`, which is the same as `imdb-attention serve`."""

import sys

import click

from imdb_core.errors import ReviewPipelineError
from imdb_core.lifeline import follow_lifeline
from imdb_core.start import prepare
from serving.server.cli import serve

if __name__ == "__main__":
    prepare()
    follow_lifeline(sys.stdin.buffer)
    try:
        serve(prog_name="python -m serving.server")
    except ReviewPipelineError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
