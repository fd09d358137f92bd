"""Tests of the live view in a real pseudo-terminal, and of its pictures in small terminals."""

import functools
import io
import os
import re
import signal
import sys
from pathlib import Path

import pexpect
import pytest
from progress_records import record
from rich.console import Console

from imdb_core.progress import EpochEnd, NodeBegan, NodeEnded, Steps
from pipeline.running.live_view import LiveView

SHOWN_RUN = Path(__file__).with_name("shown_run.py")
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def spawned(log: Path, end: str, **environ: str) -> pexpect.spawn:
    return pexpect.spawn(
        sys.executable,
        [str(SHOWN_RUN), str(log), end],
        env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **environ},
        dimensions=(24, 100),
        encoding="utf-8",
        timeout=60,
        # A shell that runs the tests in the background ignores the signal, and children inherit that.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


def watched(log: Path, end: str = "ends", **environ: str) -> str:
    terminal = spawned(log, end, **environ)
    terminal.expect(pexpect.EOF)
    return terminal.before


def test_on_a_terminal_nodes_are_redrawn_in_place(tmp_path):
    log = tmp_path / "run.log"
    shown = watched(log)
    heading, _, pictures = shown.partition(HIDE)
    assert f"3 nodes; the full log is {log}" in ESCAPE.sub("", heading).replace("\r\n", "")
    assert re.search(r"✓ Data +cached", ESCAPE.sub("", pictures))
    assert "━━━━╺━━━━━━━━━━━ epoch 2/4" in ESCAPE.sub("", pictures)
    assert "epoch 2/4  loss 0.2500  128 of 512 examples" in ESCAPE.sub("", pictures)
    assert "is waited for" in ESCAPE.sub("", pictures)
    # The cursor moves up over the picture before it is drawn again.
    assert "\x1b[1A" in pictures
    last, _, after = pictures.rpartition(SHOW)
    assert "Trainer.scalar   1.0 s best of 1 epoch: eval loss 0.5000" in ESCAPE.sub("", last).splitlines()[-3]
    assert "after" in after
    assert "chatter" not in shown
    assert "chatter" in log.read_text()


def test_control_c_shows_the_cursor_again(tmp_path):
    terminal = spawned(tmp_path / "run.log", "waits")
    terminal.expect("is waited for")
    terminal.sendintr()
    terminal.expect("after")
    shown = terminal.before
    assert SHOW in shown
    assert "interrupted" in shown.rpartition(SHOW)[2]


def test_the_view_is_live_without_colours_too(tmp_path):
    assert COLOUR.search(watched(tmp_path / "coloured.log"))
    shown = watched(tmp_path / "plain.log", NO_COLOR="1")
    assert HIDE in shown
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", shown)


def test_a_dumb_terminal_gets_plain_lines(tmp_path):
    shown = watched(tmp_path / "run.log", TERM="dumb")
    assert "\x1b" not in shown
    assert "cached: Data" in shown.splitlines()


def test_a_terminal_without_unicode_gets_ascii(tmp_path):
    shown = watched(tmp_path / "run.log", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert HIDE in shown
    assert "---- ----------- epoch 2/4" in ESCAPE.sub("", shown)
    assert shown.isascii()


def picture(width: int, height: int, nodes: list[str], ended: int) -> list[str]:
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=height, color_system=None)
    view = LiveView(console, nodes)
    for node in nodes[:ended]:
        view.handle(record(NodeBegan(node)))
        view.handle(record(EpochEnd(1, 1, {"eval loss": 0.5})))
        view.handle(record(NodeEnded(node, 4000.0, "done")))
    view.handle(record(NodeBegan(nodes[ended])))
    view.handle(record(Steps(1, 2, "examples", "epoch 1/2", {"loss": 0.5})))
    with console.capture() as capture:
        console.print(view.picture())
    return capture.get().splitlines()


@pytest.mark.parametrize("width", [20, 30, 40, 60, 89, 90, 200])
def test_every_node_fits_on_one_line_in_any_width(width):
    lines = picture(width, 24, ["Trainer.scalar", "Trainer.vector", "Predictions.champion"], 1)
    assert len(lines) == 4
    assert all(len(line) <= width for line in lines)
    assert "Trai" in lines[1]
    assert "1:06:40" in lines[0]


@pytest.mark.parametrize("ended", [0, 1, 20, 38, 39])
@pytest.mark.parametrize("height", [3, 6, 12, 24])
def test_the_running_node_is_visible_even_if_there_are_more_nodes_than_lines(height, ended):
    nodes = [f"Trainer.{number:02d}" for number in range(40)]
    lines = picture(100, height, nodes, ended)
    assert len(lines) <= max(height - 1, 4)
    assert any(nodes[ended] in line for line in lines)
    before, after = (re.search(rf"(\d+) {where}", "\n".join(lines)) for where in ("before", "to come"))
    hidden = sum(int(match[1]) for match in (before, after) if match)
    assert hidden + sum("Trainer." in line for line in lines) == 40
