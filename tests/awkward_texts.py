"""Texts of one megabyte that are slow to read for a rule that looks at the same characters again and again."""

MEGABYTE = 1_000_000

# How long reading one of them may take. A quadratic rule would take hours.
SECONDS = 60.0


def _filled(start: str, unit: str) -> str:
    return (start + unit * (MEGABYTE // len(unit.encode())))[:MEGABYTE]


AWKWARD_TEXTS = {
    "blanks after <": _filled("A fine film <", " "),
    "blanks after </": _filled("A fine film </", " "),
    "blanks after <br": _filled("A fine film <br", " "),
    "blanks alone": _filled("", " "),
    "line ends": _filled("<", "\r\n"),
    "every <br open": _filled("", "<br "),
    "every < open": _filled("", "<"),
    "< and blanks in turn": _filled("", "< \t"),
    "</ and blanks in turn": _filled("", "< / "),
    "line breaks": _filled("", "<br />"),
    "one word": _filled("", "a"),
    "one capital word": _filled("", "Σ"),
    "apostrophes": _filled("", "'"),
    "dashes": _filled("", "-"),
    "combining marks": _filled("a", "\u0301"),
    "letters with a mark each": _filled("", "e\u0301"),
    "zero-width characters": _filled("a", "\u200b"),
    "emoji": _filled("", "\U0001f600"),
    "NULs": _filled("", "\0"),
    "no-break spaces": _filled("<", "\xa0"),
    "short words": _filled("", "a b\n"),
}
