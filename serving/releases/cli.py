"""Commands of `imdb-attention models`. A command imports its code when it runs."""

import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from imdb_core.file_names import DEFAULT_MODEL
from imdb_core.user_paths import UserPath
from imdb_core.workspace import workspace_path
from serving.client.table_options import table_options, table_settings
from serving.names import CANARY, DEFAULT_TARGET, MODELS_FOLDER, STABLE

if TYPE_CHECKING:
    from rich.console import Console

    from serving.releases.journal import Entry

_WIDE: Final = 200

_Command = TypeVar("_Command", bound=Callable[..., Any])


@click.group("models")
def models_group() -> None:
    """List, describe, sign, promote, roll back, compare, verify and prune pushed versions.

    The versions are in $IMDB_WORKSPACE/models (default: ./workspace/models), beside models.config, which servers
    follow.
    """


_model_option = click.option("--model", default=DEFAULT_MODEL, show_default=True, help="Name of the model.")


def _change_options(command: _Command) -> _Command:
    """Adds the options of commands that change running servers."""
    options = (
        click.option("--label", type=click.Choice((STABLE, CANARY)), default=STABLE, show_default=True),
        click.option("--why", default="", help="Reason, for the journal."),
        click.option(
            "--server",
            "servers",
            multiple=True,
            metavar="HOST:PORT",
            help=f"A server of these models; can be repeated. Default: {DEFAULT_TARGET}, if one runs there.",
        ),
        click.option("--offline", is_flag=True, help="Change no running server; the next one to start follows."),
        click.option("--timeout", default=60.0, show_default=True, help="Seconds for a server to follow."),
        _model_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@models_group.command("list")
@_model_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def _list(model: str, as_json: bool) -> None:
    """List the versions, their metrics, and which one is live.

    The metrics are on the test split, measured in the run that pushed the version.
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
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def _history(model: str, as_json: bool) -> None:
    """Show who changed which label, when and why."""
    from serving.releases import journal, tables

    entries = journal.read(_models(), model)
    if as_json:
        dumped = [entry.model_dump(mode="json", by_alias=True, exclude_none=True) for entry in entries]
        click.echo(json.dumps(dumped, indent=2))
    elif entries:
        _console().print(tables.history_table(entries))
    else:
        click.echo("There is no change yet: each push goes live by itself.")


@models_group.command("promote")
@click.argument("version")
@_change_options
def _promote(*, version: str, model: str, label: str, why: str, **roll_out: Any) -> None:
    """Make VERSION, a number or a label such as canary, the stable version or the canary.

    A running server loads the version first; the label moves when it is available, so no request fails. With --label
    canary the server serves it beside the stable version, to requests with that label. A request with neither label nor
    version gets the loaded version of the largest number, as in TensorFlow Serving; our client asks for stable.
    """
    from serving.releases import operations

    _change(functools.partial(operations.promote, _models(), model, version, label, why=why), model, **roll_out)


@models_group.command("rollback")
@_change_options
def _rollback(*, model: str, label: str, why: str, **roll_out: Any) -> None:
    """Make the previous version stable again, or end the canary.

    A running server follows when it reads its config again. It unloads the version that was rolled back if that is the
    newer one, so that no request gets it.
    """
    from serving.releases import operations

    _change(functools.partial(operations.rollback, _models(), model, label, why=why), model, **roll_out)


@models_group.command("prune")
@click.option("--keep", type=click.IntRange(min=1), required=True, help="Number of newest versions to keep.")
@click.option("--dry-run", is_flag=True, help="Delete nothing; show what would be deleted.")
@_model_option
def _prune(keep: int, dry_run: bool, model: str) -> None:
    """Delete old versions.

    Versions that are served, have a label or are the target of a roll-back stay, however old they are.
    """
    from serving.releases import operations

    removed = operations.prune(_models(), model, keep, dry_run=dry_run)
    if removed:
        click.echo(f"{'Would delete' if dry_run else 'Deleted'} {', '.join(map(str, removed))}.")
    else:
        click.echo("Nothing to delete.")


@models_group.command("sign")
@click.argument("version")
@click.option(
    "--key",
    type=UserPath(path_type=Path),
    required=True,
    help="Private elliptic-curve key, PEM; `openssl ecparam -name prime256v1 -genkey -noout` makes one.",
)
@_model_option
def _sign(version: str, key: Path, model: str) -> None:
    """Sign VERSION with a key, so that others can check who released it; needs the extra `signing`.

    The signature is in the version's folder, in the form of OpenSSF's model-signing, whose own command checks it too.
    """
    from serving.releases.signing import sign
    from serving.releases.state import read_state

    state = read_state(_models(), model)
    click.echo(f"Signed: {sign(state.versions[state.number(version)], key)}")


@models_group.command("verify")
@click.argument("version")
@click.option(
    "--require_signature",
    "public_key",
    type=UserPath(path_type=Path),
    metavar="KEY.pub",
    help="Check first that the owner of this public key signed it.",
)
@_model_option
def _verify(version: str, public_key: Path | None, model: str) -> None:
    """Check that VERSION is unchanged since its push, loads and runs."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from serving.releases.signing import signature_check
    from serving.releases.state import read_state
    from serving.releases.verification import verify

    state = read_state(_models(), model)
    number = state.number(version)
    if public_key is not None:
        signature_check(public_key)(state.versions[number].path)
        click.echo(f"signature: of {public_key}")
    verify(state.versions[number], click.echo)
    click.echo(f"Version {number} is good.")


@models_group.command("card")
@click.argument("version")
@_model_option
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
@click.option("--sbom", is_flag=True, help="Print the software bill of materials instead, in CycloneDX's JSON.")
def _card(version: str, model: str, as_json: bool, sbom: bool) -> None:
    """Show the model card of VERSION, a number or a label.

    It says what the model is for, what it was trained on, how good it is and where it fails. Set what only a person
    knows, such as the licence, in the section [card] of the settings.
    """
    from serving.releases.state import read_state
    from serving.releases.versions import CARD_JSON, CARD_TEXT, SBOM, read_paper

    if as_json and sbom:
        raise click.UsageError("--json and --sbom are both given; give one")
    state = read_state(_models(), model)
    paper = SBOM if sbom else CARD_JSON if as_json else CARD_TEXT
    click.echo(read_paper(state.versions[state.number(version)], paper), nl=False)


@models_group.command("compare")
@click.argument("versions", nargs=2, metavar="V1 V2")
@click.option(
    "--input",
    "file",
    type=UserPath(path_type=Path),
    required=True,
    help="Reviews, with or without labels: a table, JSON lines, or text with one a line.",
)
@table_options
@click.option("--label-column", default="auto", help="Column of the label in tables.")
@click.option("--limit", type=click.IntRange(min=1), help="Maximum number of reviews.")
@click.option("--server", default=DEFAULT_TARGET, show_default=True, metavar="HOST:PORT")
@_model_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON with all flips.")
def _compare(
    *,
    versions: tuple[str, str],
    file: Path,
    limit: int | None,
    server: str,
    model: str,
    as_json: bool,
    label_column: str,
    **table: Any,
) -> None:
    """Send the same reviews to versions V1 and V2 in a server, and compare their answers.

    Shows how often the versions agree, which reviews flip, the latency of each version and, if the reviews have labels,
    its accuracy. V1 and V2 are numbers or labels: compare stable canary --input reviews.jsonl
    """
    from dataclasses import asdict

    from serving.releases import running, tables
    from serving.releases.compare import compare, read_reviews

    reviews = read_reviews(file, limit, table_settings(table, label_column=label_column))
    with running.asking(server, model, versions[0]) as first, running.asking(server, model, versions[1]) as second:
        comparison = compare(reviews, versions, (first, second))
    if as_json:
        click.echo(json.dumps(asdict(comparison), indent=2, ensure_ascii=False))
    else:
        _console().print(tables.comparison_table(comparison))
        for line in tables.comparison_lines(comparison):
            click.echo(line)


def _models() -> Path:
    return workspace_path() / MODELS_FOLDER


def _change(
    change: "Callable[..., list[Entry]]", model: str, *, servers: tuple[str, ...], offline: bool, timeout: float
) -> None:
    """Makes a change, rolls it out and prints it."""
    if offline and servers:
        raise click.UsageError("--offline and --server are both given; give one")
    from serving.releases import running
    from serving.releases.rollout import roll_out

    followers = [] if offline else running.connect(servers, DEFAULT_TARGET, model)
    changes = change(roll_out=lambda configs: roll_out(configs, followers, timeout))
    for entry in changes:
        if entry.before == entry.after:
            click.echo(f"{entry.label}: {entry.after}, which was live already; later pushes wait for a promotion")
        else:
            before, after = ("none" if version is None else version for version in (entry.before, entry.after))
            click.echo(f"{entry.label}: {before} -> {after}")
    if not changes:
        click.echo("Nothing to change.")
    elif followers:
        click.echo(f"Followed by {', '.join(server.target for server in followers)}.")
    else:
        click.echo("No running server was changed; the next one to start follows.")


def _console() -> "Console":
    from rich.console import Console

    # In a pipe, do not fold tables to rich's default of 80 columns.
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
