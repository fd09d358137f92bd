from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imdb_core.errors import SettingsError
from serving.server.config.batching_parameters import BatchingParameters


def test_all_fields_are_read() -> None:
    text = """
        # What TensorFlow Serving's documentation has.
        max_batch_size { value: 128 }
        batch_timeout_micros { value: 0 }
        max_enqueued_batches { value: 1000000 }
        num_batch_threads { value: 8 }
        thread_pool_name { value: "mine" }
        allowed_batch_sizes: 32
        allowed_batch_sizes: [64, 128]
        pad_variable_length_inputs: false
    """
    assert BatchingParameters.from_text_proto(text) == BatchingParameters(
        max_batch_size=128,
        batch_timeout_micros=0,
        max_enqueued_batches=1_000_000,
        num_batch_threads=8,
        thread_pool_name="mine",
        allowed_batch_sizes=(32, 64, 128),
    )


@pytest.mark.parametrize("text", ["", "# nothing"])
def test_what_is_not_there_has_its_default(text: str) -> None:
    assert BatchingParameters.from_text_proto(text) == BatchingParameters()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_size: 128", r'no text of a tensorflow\.serving\.BatchingParameters: .*Expected "{"'),
        ("max_batch { value: 1 }", r'no field named "max_batch"'),
        ("max_batch_size { value: 1.5 }", "give fields like `max_batch_size { value: 128 }`"),
        ("max_batch_size { value: 0 }", "max_batch_size of the batching parameters is 0; give 1 or more"),
        ("num_batch_threads { value: 0 }", "num_batch_threads .* is 0; give 1 or more"),
        ("max_enqueued_batches { value: 0 }", "max_enqueued_batches .* is 0; give 1 or more"),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros .* is -1; give 0 or more"),
        ("max_batch_size { value: 4 } allowed_batch_sizes: [2, 3]", r"are \[2, 3\]; .*last of them max_batch_size, 4"),
        ("max_batch_size { value: 4 } allowed_batch_sizes: [3, 2, 4]", "give increasing sizes"),
        ("max_batch_size { value: 4 } allowed_batch_sizes: [2, 2, 4]", "give increasing sizes"),
        ("max_batch_size { value: 4 } allowed_batch_sizes: [0, 4]", "give increasing sizes"),
        ("pad_variable_length_inputs: true", "pad_variable_length_inputs is not supported here"),
    ],
)
def test_what_cannot_be_is_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        BatchingParameters.from_text_proto(text)


@given(sizes=st.sets(st.integers(1, 200), min_size=1), rows=st.integers(1, 200))
def test_a_batch_is_padded_to_the_next_allowed_size(sizes: set[int], rows: int) -> None:
    parameters = BatchingParameters(max_batch_size=max(sizes), allowed_batch_sizes=tuple(sorted(sizes)))
    assert parameters.padded(rows) == min((size for size in sizes if size >= rows), default=rows)
    assert BatchingParameters().padded(rows) == rows
