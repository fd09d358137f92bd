"""`imdb-attention predict` and `explain` against the real server."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from command_line import approximately, call, rows
from running_server import RunningServer, running_server
from tiny_sentiment import write_tiny_sentiment

from serving.client import Client
from serving.predict.cli import explain, predict

pytestmark = pytest.mark.slow

COMMAND = Path(sys.executable).with_name("imdb-attention")
TEXTS = ["A warm and funny film", 'Ünlü, don\'t<br />"quote"', ""]


@pytest.fixture
def asked(target: str):
    """Yields a client for the expected answers."""
    with Client(target) as client:
        yield client


def test_predict_prints_a_line_for_each_text(target: str, asked: Client) -> None:
    result = call("predict", *TEXTS, "--server", target)
    assert (result.exit_code, result.stderr) == (0, "")
    assert (
        result.stdout
        == "".join(
            f"{one.label}\t{one.probability:.4f}\t{' '.join(one.text.split())}\n" for one in asked.predict(TEXTS[:2])
        )
        + "empty\t-\t\n"
    )


def test_a_text_may_start_with_a_dash(target: str, asked: Client) -> None:
    texts = ["-1/10 would not watch again", "--- what\ta film", "-- not bad"]
    expected = [approximately(one.to_json()) for one in asked.predict(texts)]
    options = ["--json", "--server", target]
    for arguments in ([*options, *texts], [*texts, *options], [*options, "--", *texts]):
        assert rows(call("predict", *arguments).stdout) == expected
    assert call("explain", texts[0], "--json", "--server", target).exit_code == 0


def test_a_word_that_looks_like_an_option_hints_at_the_double_dash(target: str, asked: Client, tmp_path: Path) -> None:
    result = call("predict", "-1/10")
    assert result.exit_code == 2
    assert "A text that starts with a dash stands after `--`: main predict -- -1/10" in result.stderr
    assert call("predict", "--servre", target, "Fine.").exit_code == 2  # a misspelt option is no text
    assert rows(call("predict", "--json", "--server", target, "--", "-1/10").stdout) == [
        asked.predict(["-1/10"])[0].to_json()
    ]
    # A value of an option stays one.
    named = tmp_path / "my reviews.jsonl"
    named.write_text('{"text": "Fine."}\n')
    assert rows(call("predict", f"--input={named}", "--json", "--server", target).stdout)[0]["text"] == "Fine."
    result = call("predict", "--input", "-my reviews.jsonl", "--server", target)
    assert (result.exit_code, "there is no file -my reviews.jsonl" in result.stderr) == (1, True)


TABLE = 'review,sentiment\r\n"A warm film,\r\nsecond line, with ""quotes"".",positive\r\nDull.,negative\r\n'


def test_a_table_is_read_as_a_table(target: str, asked: Client, tmp_path: Path) -> None:
    expected = asked.predict(['A warm film,\r\nsecond line, with "quotes".', "Dull."])
    wanted = [approximately({"row": row, **one.to_json()}) for row, one in enumerate(expected, 1)]
    for name, content in (
        ("r.csv", TABLE.encode()),
        ("r.data", gzip.compress(TABLE.encode())),
        ("utf16.csv", TABLE.encode("utf-16")),
        ("r.tsv", TABLE.replace(",sent", "\tsent").replace(",pos", "\tpos").replace(",neg", "\tneg").encode()),
        ("r.txt", "".join(f'{{"review": {json.dumps(one.text)}}}\n' for one in expected).encode()),
        ("r.json", json.dumps([{"review": expected[0].text}, {"review": expected[1].text}]).encode()),
    ):
        (tmp_path / name).write_bytes(content)
        result = call("predict", "--json", "--input", str(tmp_path / name), "--server", target)
        assert rows(result.stdout) == wanted, name
        assert "text in 'review'" in result.stderr
    named = tmp_path / "named.csv"
    named.write_text(TABLE.replace("review", "words"))
    result = call("predict", "--json", "--input", str(named), "--server", target)
    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        "no column has a usual name for the text, its columns are 'words', 'sentiment'; set --text-column"
        in result.stderr
    )
    for column in ("words", "1"):
        result = call("predict", "--json", "--input", str(named), "--text-column", column, "--server", target)
        assert rows(result.stdout) == wanted


def test_a_table_in_a_pipe_is_read_as_a_table(target: str, asked: Client) -> None:
    command = [Path(sys.executable).with_name("imdb-attention"), "predict", "-", "--json", "--server", target]
    done = subprocess.run(command, input=TABLE.encode(), capture_output=True, check=True)
    assert [row["row"] for row in rows(done.stdout.decode())] == [1, 2]
    done = subprocess.run(
        command, input=b'{"text": "Warm", "id": 7}\n{"text": "Dull"}', capture_output=True, check=True
    )
    assert [(row["line"], row["text"]) for row in rows(done.stdout.decode())] == [(1, "Warm"), (2, "Dull")]
    done = subprocess.run(command, input=b"A warm, fine film\nDull\n", capture_output=True, check=True)
    assert [row["line"] for row in rows(done.stdout.decode())] == [1, 2]


def test_tables_that_are_not_recognised_are_read_as_the_options_say(target: str, asked: Client, tmp_path: Path) -> None:
    texts = ["Café; 'fine'", "Dull."]
    wanted = [approximately({"row": row, **one.to_json()}) for row, one in enumerate(asked.predict(texts), 1)]
    table = tmp_path / "table"
    table.write_bytes("pos^'Café; \\'fine\\''\nneg^'Dull.'\n".encode("latin-1"))
    dialect = {"format": "csv", "delimiter": "^", "quote": "'", "escape": "\\", "encoding": "latin-1", "header": "no"}
    options = [f"--{name}={value}" for name, value in {**dialect, "text-column": "2"}.items()]
    for command in ("predict", "explain"):
        result = call(command, "--json", "--server", target, "--input", str(table), *options)
        found = [{key: row[key] for key in wanted[0]} for row in rows(result.stdout)]
        assert found == wanted, result.stderr
        with table.open("rb") as stdin:
            arguments = [command, "-", "--json", "--server", target, *options]
            piped = subprocess.run([COMMAND, *arguments], stdin=stdin, capture_output=True, check=True, text=True)
        assert [row["text"] for row in rows(piped.stdout)] == texts
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"text": "Dull."}\n')
    as_text = rows(call("predict", "--json", "--server", target, "--input", str(lines), "--format", "text").stdout)
    assert [row["text"] for row in as_text] == ['{"text": "Dull."}']
    refused = call("predict", "--jsonl", "--format", "csv", "x")
    assert (refused.exit_code, "both --jsonl and --format csv are given; give one" in refused.stderr) == (2, True)


def test_paths_may_start_with_a_tilde(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my [reviews].txt").write_text("Dull.\n")
    result = call("predict", "--input=~/my [reviews].txt", "--output=~/out.jsonl", "--server", target)
    assert (result.exit_code, len(rows((tmp_path / "out.jsonl").read_text()))) == (0, 1)
    result = call("explain", "--input=~/my [reviews].txt", "--html=~/page.html", "--server", target)
    assert (result.exit_code, (tmp_path / "page.html").exists()) == (0, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_what_was_predicted(target: str, number: signal.Signals) -> None:
    command = [COMMAND, "predict", "-", "--json", "--server", target]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write("Dull.\n" * 2000)
        process.stdin.flush()
        first = process.stdout.readline()  # the others are still to come, because standard input is open
        process.send_signal(number)
        rest = process.stdout.read()
        assert process.wait(20) == 128 + number
        assert process.stderr.read() == f"stopped by {number.name}\n"
    # Whole lines, without a gap.
    assert [row["line"] for row in rows(first + rest)] == list(range(1, 1 + len(rows(first + rest))))


def test_a_server_that_ends_leaves_what_was_predicted(tmp_path: Path) -> None:
    write_tiny_sentiment(tmp_path / "m" / "1")
    with running_server(f"--model_base_path={tmp_path / 'm'}", "--model_name=imdb_attention") as server:
        command = [COMMAND, "predict", "-", "--json", "--server", server.target]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin
            assert process.stdout
            assert process.stderr
            process.stdin.write("Dull.\n" * 2000)
            process.stdin.flush()
            lines = [process.stdout.readline()]
            server.process.kill()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write("Dull.\n" * 5000)
                process.stdin.close()
            lines += process.stdout.readlines()
            assert process.wait(60) == 1
            (line,) = process.stderr.read().splitlines()
    assert line.startswith("error: ")
    assert [row["line"] for row in rows("".join(lines))] == list(range(1, len(lines) + 1))


def test_a_closed_pipe_ends_predict_quietly(target: str) -> None:
    command = f"yes Dull. | head -3000 | {COMMAND} predict - --json --server {target} | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (len(rows(done.stdout)), done.stderr) == (1, "")


def test_predict_as_json(target: str, asked: Client) -> None:
    result = call("predict", "--json", *TEXTS, "--server", target)
    assert rows(result.stdout) == [one.to_json() for one in asked.predict(TEXTS)]
    assert '"Ünlü, ' in result.stdout


@pytest.mark.parametrize("dash", [[], ["-"], ["--input", "-"]])
def test_predict_reads_standard_input(target: str, asked: Client, dash: list[str]) -> None:
    result = call("predict", *dash, "--json", "--server", target, stdin="".join(f"{text}\n" for text in TEXTS))
    expected = [{"line": line, **one.to_json()} for line, one in enumerate(asked.predict(TEXTS), 1)]
    assert rows(result.stdout) == expected
    piped = '{"text": "A warm and funny film", "id": "a"}\n'
    result = call("predict", *dash, "--json", "--jsonl", "--server", target, stdin=piped)
    assert rows(result.stdout) == [{"line": 1, "id": "a", **asked.predict(TEXTS[:1])[0].to_json()}]


def test_predictions_of_json_lines_files_are_json_lines(target: str, asked: Client, tmp_path: Path) -> None:
    texts = [f"review number {number}" for number in range(300)]  # more than one request
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    first.write_text("".join(json.dumps({"id": number, "text": text}) + "\n" for number, text in enumerate(texts)))
    second.write_bytes(gzip.compress(first.read_bytes()))
    output = tmp_path / "out.jsonl"
    result = call("predict", "--input", str(first), "--output", str(output), "--server", target)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"300 predictions in {output}\n")
    expected = [{"line": number + 1, "id": number, **one.to_json()} for number, one in enumerate(asked.predict(texts))]
    assert rows(output.read_text()) == [approximately(row) for row in expected]

    result = call("predict", "--input", f"{tmp_path}/[ab].*", "--output", str(output), "--server", target)
    both = [{"file": str(file), **row} for file in (first, second) for row in expected]
    assert rows(output.read_text()) == [approximately(row) for row in both]


def test_an_invalid_line_is_reported_before_the_first_request(tmp_path: Path) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"text": "good"}\n{"txt": "bad"}\n')
    output.write_text("as it was")
    for more in ([], ["--beam", "--saved-model", str(tmp_path)]):
        result = call("predict", "--input", str(source), "--output", str(output), "--server", "localhost:1", *more)
        assert result.exit_code == 1
        (line,) = result.stderr.splitlines()
        assert line.startswith(f"error: line 2 of {source} has no string `text`; expected a JSON object")
    assert output.read_text() == "as it was"


def test_nothing_is_written_if_the_server_fails(server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a film\n")
    files = ["--input", f"{tmp_path}/in.txt", "--output", f"{tmp_path}/out.jsonl"]
    result = call("predict", *files, "--server", server.target, "--model", "nothing")
    assert result.exit_code == 1
    assert "it has 'imdb_attention'" in result.stderr
    assert [child.name for child in tmp_path.iterdir()] == ["in.txt"]


def test_options_choose_the_version(server: RunningServer) -> None:
    for options, version in (([], 1), (["--version", "2"], 2), (["--label", "canary"], 2)):
        (row,) = rows(call("predict", "--json", "x", "--server", server.target, *options).stdout)
        assert row["model_version"] == version


def test_explain_prints_the_attention_and_the_word(target: str, asked: Client) -> None:
    result = call("explain", *TEXTS[:2], "--server", target)
    assert (result.exit_code, result.stderr) == (0, "")
    expected = ""
    for one in asked.explain(TEXTS[:2]):
        expected += f"{one.label}\t{one.probability:.4f}\n"
        expected += "".join(f"{weight:.4f}\t{token}\n" for token, weight in zip(one.tokens, one.attention, strict=True))
    assert result.stdout == expected


def test_explain_as_json_and_as_a_page(target: str, asked: Client, tmp_path: Path) -> None:
    result = call("explain", "-", "--json", "--server", target, stdin=TEXTS[0])
    assert rows(result.stdout) == [{"line": 1, **asked.explain(TEXTS[:1])[0].to_json()}]

    page = tmp_path / "page.html"
    result = call("explain", TEXTS[0], "<b>&amp;", "--html", str(page), "--server", target)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"wrote {page}: 2 reviews\n")
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert ">funny</span>" in page.read_text()
    assert "<b>" not in page.read_text()


def test_explain_shows_the_effects_of_words(target: str, asked: Client, tmp_path: Path) -> None:
    expected = asked.explain(TEXTS[:2], effects=True)
    result = call("explain", *TEXTS[:2], "--effects", "--json", "--server", target)
    assert (result.exit_code, result.stderr) == (0, "")
    for row, one in zip(rows(result.stdout), expected, strict=True):
        assert row["effects"] == [None, *(pytest.approx(effect, abs=1e-6) for effect in one.effects[1:])]
    page = tmp_path / "page.html"
    assert call("explain", *TEXTS[:2], "--effects", "--html", str(page), "--server", target).exit_code == 0
    assert page.read_text().count('class="review effects"') == 2
    result = call("explain", TEXTS[0], "--html", str(page), "--server", target)
    assert result.stderr == f"wrote {page}: 1 review\n"


NOTE = "note: trained on invented reviews: `--set data.source=imdb` for real ones\n"


def test_all_ways_say_the_same_of_a_text_and_that_the_model_learned_from_the_sample(
    target: str, tmp_path: Path
) -> None:
    texts, verdicts = ["a warm film", "a zebra", "zz zzz", "?!", ""], ["empty", "no known word"]
    lines = tmp_path / "reviews.txt"
    lines.write_text("".join(f"{text}\n" for text in texts))
    sample = ["--server", target, "--model", "sample"]
    wanted = [None, None, "no known word", "empty", "empty"]
    printed = []
    for command in ("predict", "explain"):
        for given in (texts, ["--input", str(lines)]):
            result = call(command, *given, "--json", *sample)
            assert result.stderr == NOTE
            assert [row["notice"] for row in rows(result.stdout)] == wanted
            assert {row["trained_on"] for row in rows(result.stdout)} == {"sample"}
            assert all(0.5 <= row["probability"] <= 1 for row in rows(result.stdout))
        result = call(command, *texts, *sample)
        assert result.stderr == NOTE
        firsts = [line.split("\t") for line in result.stdout.splitlines()]
        printed.append([line[:2] for line in firsts if line[0] in verdicts])
    assert printed == [[["no known word", "-"], ["empty", "-"], ["empty", "-"]]] * 2
    output = tmp_path / "out.jsonl"
    result = call("predict", "--input", str(lines), "--output", str(output), *sample)
    assert result.stderr == f"{NOTE}5 predictions in {output}\n"
    assert [row["notice"] for row in rows(output.read_text())] == wanted


def test_explain_writes_a_page_of_the_first_reviews_of_a_file(target: str, tmp_path: Path) -> None:
    source, page = tmp_path / "r.csv", tmp_path / "page.html"
    source.write_text("review\n" + "".join(f"film number {number}\n" for number in range(7)))
    options = ["--html", str(page), "--server", target]
    result = call("explain", "--input", str(source), "--limit", "3", *options)
    sentence = "The first 3 of 7 reviews; `--limit` sets how many are shown."
    assert result.stderr.endswith(f"wrote {page}: {sentence}\n")
    assert page.read_text().count("<article") == 3
    assert "The first 3 of 7 reviews; <code>--limit</code>" in page.read_text()
    result = call("explain", "--input", str(source), "--limit", "7", *options)
    assert result.stderr.endswith(f"wrote {page}: 7 reviews\n")
    assert page.read_text().count("<article") == 7
    result = call("explain", "-", "--limit", "1", *options, stdin="one\ntwo\n")
    assert result.stderr == f"wrote {page}: The first 1 reviews; `--limit` sets how many are shown.\n"


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_the_name_of_a_file_instead_of_a_text_hints_at_input(
    target: str, asked: Client, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my reviews.txt").write_text("Dull.\n")
    result = call(command, "my reviews.txt", "--server", target)
    assert (result.exit_code, result.stdout) == (2, "")
    assert (
        "my reviews.txt is a file; did you mean --input 'my reviews.txt'? To predict these words themselves, pipe them "
        f"in: echo 'my reviews.txt' | main {command} -\n"
    ) in result.stderr
    result = call(command, "-", "--json", "--server", target, stdin="my reviews.txt\n")
    assert [row["text"] for row in rows(result.stdout)] == ["my reviews.txt"]


def test_explain_with_an_old_model(server: RunningServer) -> None:
    result = call("explain", "x", "--server", server.target, "--model", "old")
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: version 5 of model 'old' at {server.target} has no signature 'explain'; it has")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "x", "--input", "y"], "both TEXT and --input are given; give one"),
        (["predict", "--beam", "x"], "--beam needs --input and --output, and takes neither TEXT nor --json"),
        (["predict", "--beam", "--input", "x"], "--beam needs --input and --output"),
        (["predict", "--saved-model", ".", "x"], "--saved-model needs --beam"),
        (["predict", "x", "--timeout", "0"], "0.0 is not in the range x>0"),
        (["predict", "x", "--version", "-1"], "-1 is not in the range x>=0"),
        (["predict", "x", "--tls-cert", "nowhere.pem"], "'nowhere.pem' does not exist"),
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_usage_errors_exit_with_2(arguments: list[str], message: str) -> None:
    result = call(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--version", "1", "--label", "stable"], "version 1 and label 'stable' are both given"),
        (["--server", "http://localhost:1", "--tls"], "write https://localhost:1"),
        (["--server", "ftp://x"], "'ftp://x' is not a server's address; give host:port, dns:///"),
    ],
)
def test_settings_errors_exit_with_2_and_one_line(arguments: list[str], message: str) -> None:
    result = call("predict", "x", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_missing_files_exit_with_1_and_one_line(tmp_path: Path) -> None:
    result = call("predict", "--input", f"{tmp_path}/*.jsonl")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error: there is no file {tmp_path}/*.jsonl; give a file, or a pattern in quotes")


def in_terminal(*arguments: str) -> tuple[int, str]:
    """Runs a command on a terminal; returns its exit code and output."""
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"}
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    return process.wait(), shown.decode()


def test_a_terminal_shows_colours_and_progress(server: RunningServer, tmp_path: Path) -> None:
    code, shown = in_terminal("explain", TEXTS[0], "--server", server.target)
    assert code == 0
    assert "\x1b[30;48;5;" in shown
    assert "[START]" in shown
    code, shown = in_terminal("predict", TEXTS[0], "--server", server.target)
    assert code == 0
    assert "%  A warm and funny film" in shown

    (tmp_path / "in.txt").write_text("a film\n" * 3)
    files = ["--input", f"{tmp_path}/in.txt", "--output", f"{tmp_path}/out.jsonl"]
    code, shown = in_terminal("predict", *files, "--server", server.target)
    assert code == 0
    assert "3/3" in shown
    assert "3 predictions in " in shown


def test_predict_without_reviews_on_a_terminal_is_a_usage_error() -> None:
    code, shown = in_terminal("predict")
    assert code == 2
    assert "no review: give TEXT, or --input FILE, or pipe reviews in" in shown


def test_a_missing_server_is_reported_in_one_line_without_delay() -> None:
    start = time.monotonic()
    command = [sys.executable, "-m", "pipeline.cli", "predict", "x", "--server", "127.0.0.1:1"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert time.monotonic() - start < 20.0
    assert (run.returncode, run.stdout) == (1, "")
    (line,) = run.stderr.splitlines()
    assert line.startswith("error: no server answers at 127.0.0.1:1 (")


def test_help_lists_all_options() -> None:
    for command in (predict, explain):
        text = call(command.name, "--help").stdout
        assert all(option.opts[0] in text for option in command.params if isinstance(option, click.Option))
