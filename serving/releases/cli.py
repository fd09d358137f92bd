"""`imdb-attention models`: what is released, and how to change it. Heavy imports wait until a command needs them."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

    from serving.releases.journal import Entry
    from serving.releases.operations import RollOut
    from serving.releases.rollout import Server

_DEFAULT_SERVER: Final = "localhost:8500"
# Names of serving.releases.model_config, whose import takes longer than all of `--help`.
_LABELS: Final = ("stable", "canary")
_DEFAULT_MODEL: Final = "imdb_attention"
_WIDE: Final = 200

_Command = TypeVar("_Command", bound=Callable[..., Any])


@click.group("models")
def models_group() -> None:
    """Pushed versions of the model: which are live, promote, roll back, compare, verify, prune.

    They are those in $IMDB_WORKSPACE/models (./workspace/models), as is models.config, which servers follow.
    """


_model_option = click.option("--model", default=_DEFAULT_MODEL, show_default=True, help="Name of the model.")


def _change_options(command: _Command) -> _Command:
    """The options of what changes a running server."""
    options = (
        click.option("--label", type=click.Choice(_LABELS), default="stable", show_default=True),
        click.option("--why", default="", help="For the journal."),
        click.option(
            "--server",
            "servers",
            multiple=True,
            metavar="HOST:PORT",
            help=f"A server of these models; may be given more than once. Default: {_DEFAULT_SERVER}, if one is there.",
        ),
        click.option("--offline", is_flag=True, help="Ask no server: the next one to start follows."),
        click.option("--timeout", default=60.0, show_default=True, help="Seconds that a server may take to follow."),
        _model_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@models_group.command("list")
@_model_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def _list(model: str, as_json: bool) -> None:
    """List the versions: how good they are, and which is live.

    Their metrics are those on the test split, measured in the run that pushed them.
    """
    from serving.releases import tables
    from serving.releases.state import read_state

    state = read_state(_models(), model)
    if as_json:
        click.echo(json.dumps(tables.describe(state), indent=2))
    elif not state.versions:
        click.echo(f"No version of {model} in {_models() / model}; push one with `imdb-attention run`.")
    else:
        console = _console()
        console.print(tables.versions_table(state, console.width))
        for note in tables.notes(state):
            click.echo(note)


@models_group.command("history")
@_model_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def _history(model: str, as_json: bool) -> None:
    """Show who changed what, when and why."""
    from serving.releases import journal, tables

    entries = journal.read(_models(), model)
    if as_json:
        dumped = [entry.model_dump(mode="json", by_alias=True, exclude_none=True) for entry in entries]
        click.echo(json.dumps(dumped, indent=2))
    elif entries:
        _console().print(tables.history_table(entries))
    else:
        click.echo("Nothing was changed yet: each push goes live by itself.")


@models_group.command("promote")
@click.argument("version")
@_change_options
def _promote(
    *, version: str, label: str, why: str, servers: tuple[str, ...], offline: bool, timeout: float, model: str
) -> None:
    """Make VERSION the stable one, or the canary.

    VERSION is a number, or a label, like canary.

    A running server loads it first; the label moves when it is available, so no request fails. With --label canary it
    is served beside the stable one, to requests that ask for the label. A request that asks for neither label nor
    version gets the loaded version of the largest number, as in TensorFlow Serving; our client asks for stable.
    """
    from serving.releases import operations

    _change(
        lambda roll_out: operations.promote(_models(), model, version, label, why=why, roll_out=roll_out),
        _servers(servers, offline, model),
        timeout,
    )


@models_group.command("rollback")
@_change_options
def _rollback(*, label: str, why: str, servers: tuple[str, ...], offline: bool, timeout: float, model: str) -> None:
    """Make the previous version stable again, or end the canary.

    A running server follows as soon as it reads its config again. The version that was left is unloaded if it is the
    newer one, so that no request can get it.
    """
    from serving.releases import operations

    _change(
        lambda roll_out: operations.rollback(_models(), model, label, why=why, roll_out=roll_out),
        _servers(servers, offline, model),
        timeout,
    )


@models_group.command("prune")
@click.option("--keep", type=click.IntRange(min=1), required=True, help="Number of newest versions to keep.")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@_model_option
def _prune(keep: int, dry_run: bool, model: str) -> None:
    """Delete old versions that nobody needs.

    What is served, what has a label, and what a roll-back goes to stays, however old.
    """
    from serving.releases import operations

    removed = operations.prune(_models(), model, keep, dry_run=dry_run)
    click.echo(
        f"{'Would delete' if dry_run else 'Deleted'} {', '.join(map(str, removed))}."
        if removed
        else "Nothing to delete."
    )


@models_group.command("verify")
@click.argument("version")
@_model_option
def _verify(version: str, model: str) -> None:
    """Check that VERSION is as it was pushed, loads and runs."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from serving.releases.state import read_state
    from serving.releases.verification import verify

    state = read_state(_models(), model)
    number = state.number(version)
    verify(state.versions[number], click.echo)
    click.echo(f"Version {number} is good.")


@models_group.command("compare")
@click.argument("versions", nargs=2, metavar="V1 V2")
@click.option(
    "--input",
    "file",
    type=click.Path(path_type=Path),
    required=True,
    help="One review a line, or JSON lines with `text` and perhaps `label` (.jsonl).",
)
@click.option("--limit", type=click.IntRange(min=1), help="Most reviews to send.")
@click.option("--server", default=_DEFAULT_SERVER, show_default=True, metavar="HOST:PORT")
@_model_option
@click.option("--json", "as_json", is_flag=True, help="For programs; it holds all flips.")
def _compare(
    *, versions: tuple[str, str], file: Path, limit: int | None, server: str, model: str, as_json: bool
) -> None:
    """Ask two versions in a server about the same reviews.

    Shows on how many they agree, which flip, how long each takes, and, where the reviews have labels, how often each is
    right. V1 and V2 are numbers or labels, like: compare stable canary --input reviews.jsonl
    """
    from dataclasses import asdict

    from serving.releases import running, tables
    from serving.releases.compare import compare, read_reviews

    texts = read_reviews(file, limit)
    with running.asking(server, model, versions[0]) as first, running.asking(server, model, versions[1]) as second:
        comparison = compare(texts, versions, (first, second))
    if as_json:
        click.echo(json.dumps(asdict(comparison), indent=2, ensure_ascii=False))
    else:
        _console().print(tables.comparison_table(comparison))
        for line in tables.comparison_lines(comparison):
            click.echo(line)


def _models() -> Path:
    return Path(os.environ.get("IMDB_WORKSPACE") or "workspace").expanduser().resolve() / "models"


def _servers(targets: tuple[str, ...], offline: bool, model: str) -> "list[Server]":
    if offline and targets:
        raise click.UsageError("--offline asks no server; leave out --server")
    if offline:
        return []
    from serving.releases import running

    return running.connect(targets, _DEFAULT_SERVER, model)


def _change(change: "Callable[[RollOut], list[Entry]]", servers: "Sequence[Server]", timeout: float) -> None:
    """Makes a change and says what it was."""
    from serving.releases.rollout import roll_out

    changes = change(lambda configs: roll_out(configs, servers, timeout))
    for entry in changes:
        if entry.before == entry.after:
            click.echo(f"{entry.label}: {entry.after}, which was live already; later pushes wait for a promotion")
        else:
            click.echo(f"{entry.label}: {_or_none(entry.before)} -> {_or_none(entry.after)}")
    if not changes:
        click.echo("It is so already.")
    elif servers:
        click.echo(f"Followed by {', '.join(server.target for server in servers)}.")
    else:
        click.echo("No server was asked: those that start from now on follow.")


def _or_none(version: int | None) -> str:
    return "none" if version is None else str(version)


def _console() -> "Console":
    from rich.console import Console

    # A table that another program reads should not be folded to 80 columns.
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
