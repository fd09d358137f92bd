import hashlib
import http.server
import json
import os
import threading
from functools import partial
from pathlib import Path

import apache_beam as beam
import pytest
import tensorflow as tf
from apache_beam.testing.util import assert_that, equal_to
from review_formats import WRITERS
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import standard_artifacts

from components.example_gen.executor import ImdbExampleGenExecutor
from imdb_core.errors import BadDataError, SourceError
from imdb_core.settings import BeamSettings, DataSettings

pytestmark = pytest.mark.slow


def ingest(to, beam_args=(), cache_dir="", **data):
    """Runs the executor alone, as TFX would."""
    examples = standard_artifacts.Examples()
    examples.uri = str(to)
    context = BaseBeamExecutor.Context(beam_pipeline_args=[*BeamSettings().pipeline_args, *beam_args])
    settings = DataSettings(**{"eval_fraction": 0.3, "min_per_class": 1, "shards": 3} | data)
    ImdbExampleGenExecutor(context).Do(
        {},
        {"examples": [examples]},
        {"data_config": settings.model_dump_json(), "code_digest": "", "cache_dir": str(cache_dir)},
    )
    return examples


def examples_of(artifact, split):
    """Returns all examples of a split as dictionaries, sorted by text."""
    paths = sorted(str(path) for path in Path(artifact.uri).glob(f"Split-{split}/*"))
    found = []
    for record in tf.data.TFRecordDataset(paths, "GZIP").as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        found.append({name: [*f.bytes_list.value, *f.int64_list.value] for name, f in features.items()})
    return sorted(found, key=lambda example: (example["text"], example["id"]))


def report_of(artifact):
    return json.loads((Path(artifact.uri) / "ingest_report.json").read_text())


def bytes_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(Path(folder).rglob("*.gz"))}


@pytest.fixture(scope="module")
def from_archive(hand_written, tmp_path_factory):
    """The examples that every other kind of source must give too."""
    source = WRITERS["tar.gz"](hand_written, tmp_path_factory.mktemp("source"))
    return ingest(tmp_path_factory.mktemp("out"), source=str(source))


def test_each_kind_of_source_gives_the_same_examples(source_of_each_kind, from_archive, tmp_path):
    artifact = ingest(tmp_path / "out", source=str(source_of_each_kind))

    def without_ids(split, of):
        return [{name: value for name, value in e.items() if name != "id"} for e in examples_of(of, split)]

    for split in ("train", "eval", "test"):
        assert without_ids(split, artifact) == without_ids(split, from_archive)
    ignored = {"source", "fingerprint", "found", "left_out"}
    assert {k: v for k, v in report_of(artifact).items() if k not in ignored} == {
        k: v for k, v in report_of(from_archive).items() if k not in ignored
    }


def test_the_examples_are_the_reviews(from_archive, hand_written):
    assert json.loads(from_archive.split_names) == ["train", "eval", "test"]
    training = examples_of(from_archive, "train") + examples_of(from_archive, "eval")
    assert sorted(e["text"][0].decode() for e in training) == sorted(r.text for r in hand_written if r.split == "train")
    expected = min((r for r in hand_written if r.split == "test"), key=lambda r: r.text.encode())
    assert examples_of(from_archive, "test")[0] == {
        "text": [expected.text.encode()],
        "label": [int(expected.label == "pos")],
        "rating": [expected.rating],
        "id": [f"test/{expected.label}/{expected.number}_{expected.rating}".encode()],
        "length_bucket": [b"001-050"],
    }


def test_report_and_properties(from_archive):
    report = report_of(from_archive)
    assert report["rows_read"] == 34
    assert report["rejected"] == {}
    assert report["examples"]["test"] == {"negative": 8, "positive": 9}
    assert report["duplicates"]["training"] == 1
    assert report["leaks"] == 1
    assert from_archive.get_int_custom_property("rows_read") == 34
    assert from_archive.get_int_custom_property("examples_test") == 17
    assert from_archive.get_int_custom_property("leaks") == 1
    assert sorted(path.name for path in Path(from_archive.uri).iterdir()) == [
        "Split-eval",
        "Split-test",
        "Split-train",
        "dead_letter",
        "ingest_report.json",
    ]


def test_dedupe_drops_the_copy_and_the_leak(tar_source, tmp_path):
    artifact = ingest(tmp_path / "out", source=str(tar_source), dedupe=True)
    assert sum(report_of(artifact)["dropped"].values()) == 2
    training = {e["text"][0] for split in ("train", "eval") for e in examples_of(artifact, split)}
    tested = {e["text"][0] for e in examples_of(artifact, "test")}
    assert (len(training), len(tested), training & tested) == (15, 17, set())


def test_the_number_of_workers_changes_no_byte(hand_written, tmp_path):
    for number in range(7):
        folder = tmp_path / f"source/{number}"
        folder.mkdir(parents=True)
        WRITERS[["csv", "jsonl.gz", "tar.gz"][number % 3]](hand_written[number::2], folder)
    source = f"{tmp_path}/source/*/*"
    one = ingest(tmp_path / "one", ["--direct_num_workers=1"], source=source)
    three = ingest(
        tmp_path / "three", ["--direct_num_workers=3", "--direct_running_mode=multi_threading"], source=source
    )
    assert len(bytes_of(one.uri)) == 9
    assert bytes_of(one.uri) == bytes_of(three.uri)
    assert report_of(one) == report_of(three)


def test_empty_shards_can_be_read(csv_source, tmp_path):
    artifact = ingest(tmp_path / "out", source=str(csv_source), shards=40)
    assert len(bytes_of(artifact.uri)) == 120
    with beam.Pipeline(argv=list(BeamSettings().pipeline_args)) as pipeline:
        found = pipeline | beam.io.ReadFromTFRecord(f"{artifact.uri}/Split-test/*") | beam.combiners.Count.Globally()
        assert_that(found, equal_to([17]))


def test_without_eval_fraction_there_is_no_eval_split(csv_source, tmp_path):
    artifact = ingest(tmp_path / "out", source=str(csv_source), eval_fraction=0.0)
    assert json.loads(artifact.split_names) == ["train", "test"]
    assert not (tmp_path / "out/Split-eval").exists()
    assert len(examples_of(artifact, "train")) == 17


def test_a_source_without_splits_gets_all_three(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("text,label\n" + "".join(f"review {number},{number % 2}\n" for number in range(400)))
    artifact = ingest(tmp_path / "out", source=str(path), test_fraction=0.25)
    sizes = {split: len(examples_of(artifact, split)) for split in ("train", "eval", "test")}
    assert sum(sizes.values()) == 400
    # Four standard deviations: 35 of 400 at a quarter, 32 of 300 at 30 %.
    assert sizes["test"] == pytest.approx(100, abs=35)
    assert sizes["eval"] == pytest.approx(90, abs=40)
    assert "rating" not in examples_of(artifact, "test")[0]
    assert examples_of(artifact, "test")[0]["id"][0].startswith(b"r.csv:")


def test_rejected_rows_are_listed(tmp_path, hand_written):
    WRITERS["jsonl"](hand_written, tmp_path)
    with (tmp_path / "r.jsonl").open("ab") as file:
        file.write(b'{"text": "caf\xe9"}\n{"text": "fine", "label": "maybe"}\n')
    artifact = ingest(tmp_path / "out", source=f"{tmp_path}/r.jsonl", max_bad_fraction=0.1)
    assert report_of(artifact)["rejected"] == {"bad_utf8": 1, "unknown_label": 1}
    assert report_of(artifact)["rows_read"] == 36
    lines = (tmp_path / "out/dead_letter/rows.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"source": f"{tmp_path}/r.jsonl", "position": 35, "reason": "bad_utf8", "excerpt": '{"text": "caf\\xe9"}'},
        {"source": f"{tmp_path}/r.jsonl", "position": 36, "reason": "unknown_label", "excerpt": "maybe"},
    ]


def test_too_many_rejected_rows_stop_the_run_and_are_listed_in_the_cache(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("text,label\nfine,1\n,1\nfine,maybe\n")
    with pytest.raises(BadDataError, match=r"2 of 3 rows cannot be used \(no_text 1, unknown_label 1\)") as caught:
        ingest(tmp_path / "out", source=str(path), cache_dir=tmp_path / "cache")
    (kept,) = (tmp_path / "cache/dead_letter").iterdir()
    assert str(kept) in str(caught.value)
    assert len(kept.read_text().splitlines()) == 2
    assert not (tmp_path / "out/ingest_report.json").exists()


def test_an_empty_split_stops_the_run(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("text,label,split\nfine,1,train\n")
    with pytest.raises(BadDataError, match="no rows are left for test"):
        ingest(tmp_path / "out", source=str(path), eval_fraction=0.0)


def test_an_unreadable_file_among_others_is_named_in_one_line(tmp_path, hand_written):
    WRITERS["csv"](hand_written, tmp_path)
    (tmp_path / "s.csv").write_text("content,comment,label\nfine,fine,1\n")
    with pytest.raises(
        SourceError, match=r"s\.csv looks like CSV.* 'content' and 'comment' could both hold the text"
    ) as caught:
        ingest(tmp_path / "out", source=f"{tmp_path}/*.csv")
    assert "\n" not in str(caught.value)


def test_the_sample(tmp_path):
    artifact = ingest(tmp_path / "out", sample_train=60, sample_test=20, eval_fraction=0.1)
    assert sum(map(sum, (d.values() for d in report_of(artifact)["examples"].values()))) == 80
    assert len(examples_of(artifact, "test")) == 20


def test_imdb_is_downloaded_once(hand_written, tmp_path, from_archive):
    site = tmp_path / "site"
    site.mkdir()
    archive = WRITERS["tar.gz"](hand_written, site)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        data = {
            "source": "imdb",
            "download_url": f"http://127.0.0.1:{server.server_port}/{archive.name}",
            "download_sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
            "cache_dir": tmp_path / "cache",
        }
        first = ingest(tmp_path / "first", **data)
        server.shutdown()
    second = ingest(tmp_path / "second", **data)
    assert bytes_of(first.uri) == bytes_of(second.uri) == bytes_of(from_archive.uri)


@pytest.mark.skipif("IMDB_DATA" not in os.environ, reason="IMDB_DATA names no aclImdb_v1.tar.gz")
def test_the_real_archive(tmp_path):
    report = report_of(ingest(tmp_path / "out", source=os.environ["IMDB_DATA"], eval_fraction=0.1, shards=4))
    examples = report["examples"]
    assert examples["test"] == {"negative": 12_500, "positive": 12_500}
    for sentiment in ("negative", "positive"):
        assert examples["train"][sentiment] + examples["eval"][sentiment] == 12_500
    assert sum(examples["eval"].values()) == pytest.approx(2_500, abs=190)
    assert report["rejected"] == {}
    # Counted independently of this code.
    assert (report["duplicates"]["training"], report["duplicates"]["test"], report["leaks"]) == (96, 199, 123)
