"""Writes a model card in Markdown, for people."""

import shlex
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from imdb_core.features import SENTIMENTS


def card_text(card: Mapping[str, Any]) -> str:
    """Writes the card that `card.model_card` has gathered."""
    parts = [
        _about(card["model"]),
        _use(card["use"]),
        _data(card["data"]),
        _metrics(card["metrics"]),
        _limits(card["limits"], card["metrics"]["confidence"]),
        ["## Energy and time", f"Energy: {card['energy']}.", f"Time: {card['time']}."],
        _reproduction(card["reproduce"]),
    ]
    return "\n\n".join(paragraph for part in parts for paragraph in part) + "\n"


def _about(model: Mapping[str, Any]) -> Iterable[str]:
    pushed = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(model["pushed_at"]))
    yield f"# Model card: {model['name']}, version {model['version']}"
    yield _table(
        ("", ""),
        [
            ("Pushed", pushed),
            ("Run", _known(model["run_id"])),
            ("Network", f"GRU with {_known(model['mode'])} attention, {_count(model['parameters'])} parameters"),
            ("Chosen because", _known(model["why_this_mode"])),
            ("Languages", ", ".join(model["languages"])),
            ("Licence", model["license"]),
            ("Contact", model["contact"]),
            ("SHA-256", model["sha256"]),
        ],
    )


def _use(use: Mapping[str, str]) -> Iterable[str]:
    yield "## What it is for"
    yield use["intended"]
    yield "## What it is not for"
    yield use["out_of_scope"]


def _data(data: Mapping[str, Any]) -> Iterable[str]:
    yield "## Data"
    yield data["description"]
    rejected = sum(data["rejected"].values())
    yield _table(
        ("", ""),
        [
            ("Source", data["source"]),
            ("Fingerprint", data["fingerprint"]),
            ("Licence", data["license"]),
            ("Unusable rows, left out", _count(rejected)),
            ("Texts both in training data and in test", _count(data["leaks"])),
            ("Texts with both labels", _count(data["contradictions"])),
        ],
    )
    yield _table(
        ("split", *SENTIMENTS),
        [(split, *(_count(by_label[one]) for one in SENTIMENTS)) for split, by_label in data["examples"].items()],
    )


def _metrics(measures: Mapping[str, Any]) -> Iterable[str]:
    yield "## Metrics"
    yield f"On the {_count(measures['reviews'])} reviews of split `test`, with {measures['confidence']:.0%} intervals."
    yield _table(
        ("metric", "value", "interval", "method"),
        [(one["name"], *_estimate(one["estimate"]), one["how"]) for one in measures["metrics"]],
    )
    for title, groups in measures["slices"].items():
        yield _table(
            (title, "reviews", "right", "accuracy", "interval"),
            [
                (one["name"], _count(one["reviews"]), _count(one["right"]), *_estimate(one["accuracy"]))
                for one in groups
            ],
        )


def _limits(probes: Sequence[Mapping[str, Any]], confidence: float) -> Iterable[str]:
    yield "## Limits, measured"
    yield (
        "The pushed model judged sentences that were written to show its limits, half of them positive, so that a "
        f"constant answer is right for half. They are few, as the {confidence:.0%} intervals (Wilson) say."
    )
    yield _table(
        ("kind", "right", "of", "share", "interval"),
        [(one["kind"], str(one["right"]), str(one["sentences"]), *_estimate(one["accuracy"])) for one in probes],
    )
    wrong = [f"- {one['kind']}: {text}" for one in probes for text in one["wrong"]]
    if wrong:
        yield "Judged wrong:"
        yield "\n".join(wrong)


def _reproduction(reproduce: Mapping[str, Any]) -> Iterable[str]:
    yield "## How to reproduce it"
    command = [reproduce["command"], *(f"--set {shlex.quote(one)}" for one in reproduce["set"])]
    yield "```sh\n" + " \\\n    ".join(command) + "\n```"
    packages = ", ".join(f"{name} {version}" for name, version in reproduce["packages"].items())
    yield f"Made with Python {reproduce['python']}: {packages}. All packages are in `sbom.cdx.json`, beside this card."
    yield "The same data, settings, packages and kind of processor give the same model."


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (head, ["---"] * len(head), *rows)
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _estimate(estimate: Mapping[str, float | None]) -> tuple[str, str]:
    value, low, high = (
        "undefined" if estimate[name] is None else f"{estimate[name]:.4f}" for name in ("value", "low", "high")
    )
    return value, f"{low} to {high}"


def _count(number: int | None) -> str:
    return _known(number) if number is None else f"{number:,}"


def _known(value: Any) -> str:
    return "not known" if value is None else str(value)
