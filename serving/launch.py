"""Starts a server in its own process."""

import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Final

from imdb_core.errors import RunError
from imdb_core.lifeline import LIFELINE_VARIABLE
from imdb_core.start import module_command

_READY: Final = re.compile(r"grpc://(\S+?),?(?: http://(\S+))?$")
_STOP_SECONDS: Final = 30.0
_SHOWN_LINES: Final = 5


@dataclass(frozen=True)
class LaunchedServer:
    """A running server: its process and the `host:port` of gRPC and, if the server has it, of the REST API."""

    target: str
    rest: str | None
    process: "subprocess.Popen[str]"


@contextmanager
def launched_server(*flags: str, timeout: float = 120.0) -> Iterator[LaunchedServer]:
    """Starts the embedded server, on free ports unless the flags name others; see `launched`."""
    with launched("serving.server", "--port=0", "--rest_api_port=0", *flags, timeout=timeout) as server:
        yield server


@contextmanager
def launched(module: str, *flags: str, timeout: float = 120.0) -> Iterator[LaunchedServer]:
    """Starts a server that is a Python module and prints its addresses: `grpc://HOST:PORT`, then `http://HOST:PORT`.

    The server stops at the end of the block. If this process is killed, it stops too: it follows its standard input,
    see `imdb_core.lifeline.follow_lifeline`.

    Raises:
        RunError: The server ended or did not serve within `timeout` seconds; the message quotes its last output.
    """
    command = module_command(module, *flags)
    environ = {**os.environ, LIFELINE_VARIABLE: "stdin"}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        process = start_program(command, environ, errors)
        try:
            ready = wait_for_line(process, _READY, errors, timeout, "the server")
            yield LaunchedServer(ready[1], ready[2], process)
        except KeyboardInterrupt:
            process.kill()  # whoever stops this process does not wait for the server to answer its last requests
            raise
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()


def start_program(command: Sequence[str], environ: Mapping[str, str], errors: IO[str]) -> "subprocess.Popen[str]":
    """Starts a program in a session of its own, with pipes for its input and output."""
    return subprocess.Popen(  # noqa: S603 - our own programs
        command,
        env={**environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        start_new_session=True,
    )


def wait_for_line(
    process: "subprocess.Popen[str]", ready: re.Pattern[str], errors: IO[str], timeout: float, name: str
) -> re.Match[str]:
    """Waits until a program prints a line that matches `ready`.

    Args:
        process: The program, from `start_program`.
        ready: Describes the line.
        errors: The file of its standard error.
        timeout: Seconds.
        name: What the error calls the program.

    Raises:
        RunError: The program ended or printed no such line in time; the message quotes its last output.
    """
    found: list[re.Match[str]] = []
    served = threading.Event()

    def read() -> None:
        with suppress(ValueError):  # closed meanwhile
            for line in process.stdout or ():
                match = ready.search(line.strip())
                if match and not found:
                    found.append(match)
                    served.set()
        served.set()  # the program ended

    # Read all output, or a program that prints a lot would block on a full pipe.
    threading.Thread(target=read, daemon=True).start()
    in_time = served.wait(timeout)
    if found:
        return found[0]
    what = "ended before it served" if in_time else f"did not serve within {timeout:g} s"
    errors.seek(0)
    last = " ".join(line.strip() for line in errors.readlines()[-_SHOWN_LINES:])
    raise RunError(f"{name} {what}: {last or 'it printed nothing'}")
