import tensorflow as tf
from written_splits import write_split

from imdb_core.examples import read_examples


def test_examples_that_tensorflow_wrote_are_read(tmp_path):
    feature = {
        "text": tf.train.Feature(bytes_list=tf.train.BytesList(value=["ünï".encode()])),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[-1, 2**40])),
        "candidate": tf.train.Feature(float_list=tf.train.FloatList(value=[0.25, 0.75])),
    }
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    with tf.io.TFRecordWriter(str(tmp_path / "a.gz"), "GZIP") as writer:
        writer.write(example.SerializeToString())
        writer.write(b"")
    found, empty = read_examples(tmp_path)
    assert list(found["text"].bytes_list.value) == ["ünï".encode()]
    assert list(found["label"].int64_list.value) == [-1, 2**40]
    assert list(found["candidate"].float_list.value) == [0.25, 0.75]
    assert len(empty) == 0


def test_a_limited_number_of_examples_comes_from_all_files(tmp_path):
    for name, start in (("a.gz", 0), ("b.gz", 10), ("c.gz", 20)):
        write_split(tmp_path, "test", [{"label": start + place} for place in range(4)], name)
    labels = [row["label"].int64_list.value[0] for row in read_examples(tmp_path / "Split-test", 4)]
    assert labels == [0, 10, 20, 21]
    assert len(list(read_examples(tmp_path / "Split-test"))) == 12
