import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from components.example_gen.encoding import encode
from components.example_gen.sources.rows import ValidRow
from imdb_core import features

rows = st.builds(
    lambda text, repeat, *rest: ValidRow(rest[0], text * repeat, (text * repeat).encode(), *rest[1:], None),
    st.text(),
    st.sampled_from([1, 2, 50, 2000]),
    st.text(),
    st.integers(0, 1),
    st.one_of(st.none(), st.integers(1, 10)),
)


def generated(row):
    example = tf.train.Example()
    feature = example.features.feature
    feature[features.TEXT].bytes_list.value.append(row.utf8)
    feature[features.LABEL].int64_list.value.append(row.label)
    if row.rating is not None:
        feature[features.RATING].int64_list.value.append(row.rating)
    feature[features.ID].bytes_list.value.append(row.id.encode())
    feature[features.LENGTH_BUCKET].bytes_list.value.append(features.length_bucket(row.text).encode())
    return example


@given(rows)
def test_bytes_are_those_of_the_generated_class(row):
    assert encode(row) == generated(row).SerializeToString(deterministic=True)
    assert tf.train.Example.FromString(encode(row)) == generated(row)


def test_tensorflow_parses_it():
    parsed = tf.io.parse_single_example(
        encode(ValidRow("train/pos/1_9", "so good", b"so good", 1, 9, "train")),
        {
            "text": tf.io.FixedLenFeature([], tf.string),
            "label": tf.io.FixedLenFeature([], tf.int64),
            "rating": tf.io.FixedLenFeature([], tf.int64, -1),
            "id": tf.io.FixedLenFeature([], tf.string),
            "length_bucket": tf.io.FixedLenFeature([], tf.string),
        },
    )
    assert {name: value.numpy() for name, value in parsed.items()} == {
        "text": b"so good",
        "label": 1,
        "rating": 9,
        "id": b"train/pos/1_9",
        "length_bucket": b"001-050",
    }
