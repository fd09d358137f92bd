import json

import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from components.example_gen.splits import DRAWN
from components.example_gen.writing import KeyedExample, settle, write_dead_letter, write_shard
from imdb_core.reviews.rows import RejectedRow
from imdb_core.settings import DataSettings

rows = st.lists(
    st.builds(
        lambda split, text, number, label: KeyedExample(split, text, f"{split}/{number}", label, text),
        st.sampled_from(["train", "eval", "test"]),
        st.sampled_from([b"a", b"b", b"c"]),
        st.integers(0, 99),
        st.integers(0, 1),
    ),
    max_size=20,
)


def row(split, text, number):
    return KeyedExample(split, text, f"{split}/{number}", 1, text)


def test_duplicates_and_leaks_by_hand():
    given_rows = [
        *(row("train", b"a", number) for number in range(3)),
        row("eval", b"a", 0),
        *(row("test", b"a", number) for number in range(2)),
        row("train", b"b", 0),
        row("test", b"c", 0),
    ]
    kept, counts = settle(given_rows, dedupe=False)
    assert len(kept) == 8
    assert counts["duplicates", "train"] == 2
    assert counts["duplicates", "eval"] == 0
    assert counts["duplicates", "test"] == 1
    assert counts["duplicates", "training"] == 3
    assert counts["leaks",] == 1
    kept, counts = settle(given_rows, dedupe=True)
    assert kept == [row("test", b"a", 0), row("test", b"c", 0), row("train", b"b", 0)]
    assert (counts["dropped", "train"], counts["dropped", "eval"], counts["dropped", "test"]) == (3, 1, 1)
    assert counts["examples", "train", "positive"] == 1
    assert counts["read",] == 8


@given(rows, st.randoms(), st.booleans())
def test_the_order_of_reading_does_not_matter(given_rows, random, dedupe):
    shuffled = list(given_rows)
    random.shuffle(shuffled)
    assert settle(shuffled, dedupe) == settle(given_rows, dedupe)


@given(rows)
def test_dedupe_keeps_one_of_each_text_and_counts_the_rest(given_rows):
    kept, counts = settle(given_rows, dedupe=True)
    assert sorted(row.digest for row in kept) == sorted({row.digest for row in given_rows})
    assert len(kept) + sum(counts["dropped", split] for split in ("train", "eval", "test")) == len(given_rows)
    tested = {row.digest for row in given_rows if row.split == "test"}
    assert all(row.split == "test" for row in kept if row.digest in tested)


def test_files_and_their_bytes(tmp_path):
    data = DataSettings(shards=2)
    folders = {split: str(tmp_path / split) for split in ("train", "test")}
    given_rows = [row("train", b"b", 0), row("train", b"a", 1)]
    write_shard(given_rows, 1, folders, data, declared_eval=False)
    train, test = (tmp_path / split / "data_tfrecord-00001-of-00002.gz" for split in ("train", "test"))
    first = train.read_bytes()
    assert list(tf.data.TFRecordDataset(str(train), "GZIP").as_numpy_iterator()) == [b"a", b"b"]
    assert list(tf.data.TFRecordDataset(str(test), "GZIP").as_numpy_iterator()) == []
    write_shard(given_rows[::-1], 1, folders, data, declared_eval=False)
    assert train.read_bytes() == first
    assert [file.name for file in (tmp_path / "train").iterdir()] == [train.name]


def test_the_dead_letter_file_is_sorted_json(tmp_path):
    rejected = [
        RejectedRow("b.csv", 2, "no_text", ""),
        RejectedRow("a.tgz", "x/2_1.txt", "bad_utf8", "caf\\xe9"),
        RejectedRow("b.csv", 10, "too_long", "映画"),
    ]
    path = tmp_path / "dead/rows.jsonl"
    counts = write_dead_letter(rejected, str(path))
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"source": "a.tgz", "position": "x/2_1.txt", "reason": "bad_utf8", "excerpt": "caf\\xe9"},
        {"source": "b.csv", "position": 2, "reason": "no_text", "excerpt": ""},
        {"source": "b.csv", "position": 10, "reason": "too_long", "excerpt": "映画"},
    ]
    assert counts == {
        ("read",): 3,
        ("rejected", "bad_utf8"): 1,
        ("rejected", "no_text"): 1,
        ("rejected", "too_long"): 1,
    }


def test_texts_with_both_labels_are_counted_kept_or_dropped():
    given_rows = [
        KeyedExample("train", b"a", "r:1", 0, b""),
        KeyedExample("test", b"a", "r:2", 1, b""),
        KeyedExample("train", b"a", "r:3", 1, b""),
        KeyedExample("train", b"b", "r:4", 1, b""),
        KeyedExample("train", b"b", "r:5", 1, b""),
    ]
    for setting, kept in (("keep", 5), ("stop", 5), ("drop", 2)):
        rows, counts = settle(given_rows, dedupe=False, contradictions=setting)
        assert len(rows) == kept
        assert {key: count for key, count in counts.items() if key[0] == "contradictions"} == {
            ("contradictions", "r:1 and r:2"): 1
        }
        assert counts["dropped", "train"] + counts["dropped", "test"] == 5 - kept


def test_what_was_drawn_for_eval_stays_in_train_if_the_source_declares_eval(tmp_path):
    given_rows = [KeyedExample(DRAWN, b"a", "r:1", 0, b"1"), KeyedExample("eval", b"b", "r:2", 0, b"2")]
    folders = {split: str(tmp_path / split) for split in ("train", "eval", "test")}
    for declared, counted in ((True, (1, 1)), (False, (0, 2))):
        counts = write_shard(given_rows, 0, folders, DataSettings(), declared_eval=declared)
        assert (counts["examples", "train", "negative"], counts["examples", "eval", "negative"]) == counted
