"""The explanations that an Explainer would write for invented reviews; one review is hostile."""

from typing import Any

HOSTILE = "A fine <script>document.title = 'taken'</script> film & <img src=x onerror=\"document.title='taken'\">"
KS = [1, 2, 5, 10, 20]


def explanations() -> dict[str, Any]:
    kinds = ["right"] * 4 + ["wrong"] * 4 + ["disagreement"] * 4
    return {
        "reviews": 40,
        "test_reviews": 60,
        "seed": 1,
        "modes": {"scalar": mode("fine", 0.1), "vector": mode("<b>dull</b>", 0.0)},
        "examples": [example(number, kind) for number, kind in enumerate(kinds)],
    }


def mode(word: str, effect: float) -> dict[str, Any]:
    return {
        "words": [{"word": word, "reviews": 9, "occurrences": 11, "mean_weight": 0.2, "lift": 2.5}],
        "min_reviews": 5,
        "position": {"deciles": [0.1] * 8 + [0.05, 0.15]},
        "entropy": {"mean": 0.8, "bin_edges": [0, 0.5, 1.0], "counts": [1, 39]},
        "faithfulness": {
            "reviews": 40,
            "k": KS,
            "comprehensiveness": curves(0.02 + effect, 0.02),
            "sufficiency": curves(0.2 - effect, 0.2),
            "flips": {"attention": [0.1] * 5, "random": [0.05] * 5},
        },
    }


def curves(attention: float, random: float) -> dict[str, list[dict[str, float]]]:
    return {
        name: [{"mean": value, "low": value - 0.01, "high": value + 0.01}] * len(KS)
        for name, value in (("attention", attention), ("random", random))
    }


def example(number: int, kind: str) -> dict[str, Any]:
    tokens = ["[START]", "a", "fine", "film", "with", "a", "dull", "end"]
    weights = [0.05, 0.05, 0.4, 0.1, 0.05, 0.05, 0.25, 0.05]
    text = "A fine film, with a dull end"
    if number == 0:
        text = HOSTILE
        tokens = "[START] a fine script document title 'taken' script film img src x onerror document title 'taken'"
        tokens = tokens.split()
        weights = [0.5 if token == "fine" else 0.5 / 15 for token in tokens]
    answer = {"probability": 0.9, "label": "positive", "tokens": tokens, "weights": weights}
    even = {**answer, "weights": [1 / len(tokens)] * len(tokens)}
    strongest = [{"dimension": 7, "share": 0.2, "weights": weights}]
    return {
        "id": f"made/{number}",
        "kind": kind,
        "text": text,
        "label": "negative" if kind == "wrong" else "positive",
        "rating": 9 if number % 2 else None,
        "length_bucket": "001-050",
        "modes": {"scalar": answer if number else even, "vector": {**answer, "dimensions": strongest}},
    }
