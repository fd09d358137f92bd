from __future__ import annotations

import asyncio
import errno
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from tiny_models import push
from waiting import wait_until

from serving.server.open_files import AcceptWarning

LIMITED = """
import logging, resource, sys
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from serving.server.open_files import allow_connections
print(allow_connections(wanted), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "printed", "warning"),
    [
        (256, 4000, 1000, "1000 4000 4000", ""),
        (4000, 4000, 1000, "1000 4000 4000", ""),
        (
            256,
            400,
            1000,
            "100 400 400",
            "The system allows this process 400 open files (ulimit -n), so that gRPC and REST take 100 connections "
            "each, not 1000 (--max_connections)",
        ),
        (256, 400, 100, "100 400 400", ""),
        (
            50,
            50,
            5,
            "1 50 50",
            "The system allows this process 50 open files (ulimit -n), so that gRPC and REST take 1 connections each, "
            "not 5 (--max_connections)",
        ),
    ],
)
def test_connections_that_the_system_allows(*, soft: int, hard: int, wanted: int, printed: str, warning: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(soft), str(hard), str(wanted)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert (done.stdout.strip(), done.stderr.strip()) == (printed, warning)


def test_a_lack_of_files_is_one_line_in_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    handler = AcceptWarning()
    loop = asyncio.new_event_loop()
    for number in (errno.EMFILE, errno.ENFILE, errno.EMFILE):
        handler(loop, {"message": "socket.accept() out of system resource", "exception": OSError(number, "?")})
    assert [record.getMessage() for record in caplog.records] == [
        "New connections wait, because this process may not open more files (ulimit -n)"
    ]
    caplog.clear()
    handler(loop, {"message": "something else", "exception": OSError(errno.EIO, "?")})
    handler(loop, {"message": "no exception"})
    assert [record.message for record in caplog.records] == ["something else", "no exception"]
    loop.close()


@pytest.mark.slow
def test_a_server_that_may_open_few_files_goes_on_after_many_connections(tmp_path: Path, half_plus_two: Path) -> None:
    push(half_plus_two, tmp_path / "half", 1)
    errors = tmp_path / "errors"
    command = f"ulimit -n 80; exec {sys.executable} -m serving.server --port=0 --rest_api_port=0 --model_name=half"
    with errors.open("w") as err:
        process = subprocess.Popen(
            ["bash", "-c", f"{command} --model_base_path={tmp_path / 'half'}"],
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
            cwd=Path(__file__).parents[3],
        )
    try:
        url = re.search(r"http://\S+", process.stdout.readline())[0]
        port = int(url.rpartition(":")[2])
        clients = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(150)]
        time.sleep(1)
        for client in clients:
            client.close()

        def serves() -> bool:
            try:
                return httpx.get(f"{url}/v1/models/half", timeout=20).status_code == 200
            except httpx.HTTPError:
                return False

        wait_until(serves, poll_seconds=0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    lines = errors.read_text().splitlines()
    assert [line.partition("WARNING ")[2] for line in lines if " INFO " not in line] == [
        "The system allows this process 80 open files (ulimit -n), so that gRPC and REST take 1 connections each, not "
        "1000 (--max_connections)"
    ]


WITHOUT_FILES = """
import asyncio, logging, os, resource
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from serving.server.http_server import HttpLimits, HttpServer
from serving.server.listening import bind, listen
from serving.server.open_files import AcceptWarning

async def page(request):
    return PlainTextResponse("served")

async def main():
    asyncio.get_running_loop().set_exception_handler(AcceptWarning())
    port = bind("127.0.0.1", 0)
    server = HttpServer(Starlette(routes=[Route("/", page)]), port, HttpLimits(1000, 30))
    await asyncio.sleep(0.2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 3,) * 2)
    print(listen(port, "127.0.0.1"), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_connections_wait_while_the_process_may_not_open_more_files(tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    with errors.open("w") as err:
        command = [sys.executable, "-c", WITHOUT_FILES]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=err, text=True, cwd=Path(__file__).parents[3]
        )
    try:
        host, _, port = process.stdout.readline().strip().rpartition(":")
        clients = [socket.create_connection((host, int(port)), timeout=20) for _ in range(20)]
        time.sleep(1.5)
        for client in clients:
            client.close()
        assert httpx.get(f"http://{host}:{port}/", timeout=20).text == "served"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert errors.read_text() == "New connections wait, because this process may not open more files (ulimit -n)\n"
