import tomli
from hypothesis import given
from hypothesis import strategies as st

from pipeline.settings import toml_file, toml_value

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = TEXTS | st.booleans() | NUMBERS


@given(st.one_of(VALUES, st.lists(VALUES), st.dictionaries(TEXTS, st.lists(VALUES))))
def test_a_value_survives_writing_and_reading(value):
    assert tomli.loads(f"value = {toml_value(value)}") == {"value": value}


def test_sections_become_tables_after_the_top_level_values():
    text = toml_file(
        {"training.epochs": 3, "model.dropout": 0.3, "preset": "blog", "training.seed": 7}, "A comment, first."
    )
    assert text == (
        '# A comment, first.\npreset = "blog"\n\n[training]\nepochs = 3\nseed = 7\n\n[model]\ndropout = 0.3\n'
    )
