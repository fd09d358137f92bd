"""Prints predictions and explanations: in colour on a terminal, as plain text in a pipe."""

from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.text import Text

from serving.client.results import Explanation, Prediction
from serving.client.shading import UNKNOWN, Piece, effects_legend, known_tokens, notes, printable, shaded

# Colours of a word's background, from no attention to the review's greatest. Black text is readable on all of them.
_FAINTEST: Final = (255, 244, 214)
_STRONGEST: Final = (240, 120, 0)
# The same on a terminal with 16 colours: faint, middle, strong.
_SIXTEEN: Final = ("bright_white", "bright_yellow", "yellow")
_SHADED_FROM: Final = 0.05
_BOLD_FROM: Final = 0.5
_SCALE: Final = (0.05, 0.25, 0.5, 0.75, 1.0)
_SENTIMENT: Final = {"negative": "bold red", "positive": "bold green"}


def show_prediction(prediction: Prediction, console: Console) -> None:
    """Prints one line: the sentiment, its probability and the review.

    A notice replaces the sentiment and its probability. The review is cut to a terminal's width. In a pipe, or without
    colours, tabs separate the three; a review with a notice has `-` for a probability.
    """
    text = " ".join(printable(prediction.text).split())
    if not _colours(console):
        _plain(console, f"{_columns(prediction)}\t{text}")
        return
    line = Text.assemble(_headline(prediction), "  ", text)
    console.print(line, no_wrap=True, overflow="ellipsis", crop=True)


def show_explanation(explanation: Explanation, console: Console) -> None:
    """Prints the sentiment and the review, with each word's attention as the shade of its background.

    In a pipe, or without colours, it prints a line with the sentiment, then one with the attention and the word for
    each word that the network reads; a last column says which words are not in the vocabulary. With effects, these are
    the second column, and on a terminal the review follows once more: green words make it more positive, red ones less.
    """
    if not _colours(console):
        _plain(console, _columns(explanation))
        effects = [""] * len(explanation.tokens)
        if explanation.effects is not None:
            effects = ["\t-" if effect is None else f"\t{effect:+.4f}" for effect in explanation.effects]
        words = zip(explanation.tokens, explanation.attention, effects, known_tokens(explanation), strict=True)
        for token, weight, effect, known in words:
            _plain(console, f"{weight:.4f}{effect}\t{printable(token)}" + ("" if known else f"\t{UNKNOWN}"))
        return
    pieces = shaded(explanation)
    console.print(_headline(explanation))
    sixteen = console.color_system == "standard"
    console.print(Text.assemble(*((piece.text, _style(piece, sixteen)) for piece in pieces)))
    console.print(Text.assemble(*_legend(explanation, pieces, sixteen)))
    if explanation.effects is not None:
        console.print(Text.assemble(*((piece.text, _effect_style(piece)) for piece in pieces)))
        console.print(Text(effects_legend(explanation), "dim"))


def _effect_style(piece: Piece) -> str:
    if piece.effect is None or piece.weight < _SHADED_FROM:
        return "" if piece.read else "dim"
    return f"{'bold ' * (piece.weight > _BOLD_FROM)}{'green' if piece.effect > 0 else 'red'}"


def _columns(prediction: Prediction) -> str:
    probability = "-" if prediction.notice else f"{prediction.probability:.4f}"
    return f"{prediction.verdict}\t{probability}"


def _headline(prediction: Prediction) -> Text:
    if prediction.notice:
        return Text(f"{prediction.notice:16}", "bold")
    return Text.assemble(
        (f"{prediction.label:8}", _SENTIMENT.get(prediction.label, "bold")), f" {100 * prediction.probability:5.1f} %"
    )


def _colours(console: Console) -> bool:
    return console.is_terminal and console.color_system is not None and not console.no_color


def _legend(explanation: Explanation, pieces: list[Piece], sixteen: bool) -> Iterator[tuple[str, str]]:
    greatest = max(explanation.attention, default=0.0)
    yield "attention ", "dim"
    for strength in _SCALE:
        yield f" {100 * strength * greatest:.1f} % ", _style(Piece("", strength * greatest, strength), sixteen)
    for note in notes(explanation, pieces):
        yield f"  {note}", "dim"


def _style(piece: Piece, sixteen: bool) -> str:
    if not piece.read:
        return "dim"
    unknown = "" if piece.known else "underline "
    if piece.strength < _SHADED_FROM:
        return unknown.strip()
    if sixteen:
        return f"{unknown}black on {_SIXTEEN[min(int(piece.strength * len(_SIXTEEN)), len(_SIXTEEN) - 1)]}"
    red, green, blue = (
        round(faint + (strong - faint) * piece.strength) for faint, strong in zip(_FAINTEST, _STRONGEST, strict=True)
    )
    return f"{unknown}black on rgb({red},{green},{blue})"


def _plain(console: Console, line: str) -> None:
    # Console.print would wrap the line.
    console.file.write(line + "\n")
