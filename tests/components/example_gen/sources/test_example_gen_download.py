import gzip
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from components.example_gen.sources.download import fetch
from imdb_core.errors import SourceError

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class FileServer(ThreadingHTTPServer):
    """Serves CONTENT; its attributes make it misbehave."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.ranges = True
        self.sends_length = True
        self.chunked = False
        self.encoding = None
        self.redirects_to = None
        self.bytes_a_connection = None
        self.statuses = []
        self.requested = []
        self.url = f"http://127.0.0.1:{self.server_port}/files/reviews.tar.gz"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range")
        server.requested.append(asked)
        if server.statuses:
            self.send_error(server.statuses.pop(0))
            return
        if server.redirects_to and self.path != "/moved":
            self.send_response(302)
            self.send_header("Location", server.redirects_to)
            self.end_headers()
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and server.ranges else 0
        if start >= len(server.content):
            self.send_error(416)
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        if server.encoding:
            self.send_header("Content-Encoding", server.encoding)
        if server.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif server.sends_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.chunked:
            self.wfile.write(b"%x\r\n" % len(body))
        self.wfile.write(body[: server.bytes_a_connection])
        if server.chunked and len(body) <= (server.bytes_a_connection or len(body)):
            self.wfile.write(b"\r\n0\r\n\r\n")

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with FileServer() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "reviews.tar.gz"


def get(server, path, sha256=SHA256, **options):
    fetch(server.url, sha256, path, **{"attempts": 3, "backoff_seconds": 0.001} | options)


def names(path):
    return sorted(file.name for file in path.parent.iterdir())


def test_a_whole_file(server, path):
    get(server, path)
    assert path.read_bytes() == CONTENT
    assert names(path) == ["reviews.tar.gz"]


def test_an_existing_file_is_not_downloaded_again(server, path):
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    get(server, path, SHA256.upper())
    assert server.requested == []


def test_another_file_of_the_same_name_is_replaced(server, path):
    path.parent.mkdir()
    path.write_bytes(b"older")
    get(server, path)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("chunked", [False, True])
def test_dropped_connections_are_resumed(server, path, chunked):
    server.chunked = chunked
    server.bytes_a_connection = 300_000
    get(server, path)
    assert path.read_bytes() == CONTENT
    assert server.requested == [None, "bytes=300000-", "bytes=600000-", "bytes=900000-"]


def test_a_part_of_an_earlier_run_is_resumed(server, path):
    path.parent.mkdir()
    path.with_name("reviews.tar.gz.part").write_bytes(CONTENT[:1000])
    get(server, path)
    assert path.read_bytes() == CONTENT
    assert server.requested == ["bytes=1000-"]


def test_a_complete_part_of_an_earlier_run_is_only_renamed(server, path):
    path.parent.mkdir()
    path.with_name("reviews.tar.gz.part").write_bytes(CONTENT)
    get(server, path)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("left_over", [b"of another file", CONTENT + b"and more"])
def test_a_part_of_another_file_is_dropped(server, path, left_over):
    path.parent.mkdir()
    path.with_name("reviews.tar.gz.part").write_bytes(left_over)
    get(server, path)
    assert path.read_bytes() == CONTENT
    assert server.requested[-1] is None


def test_without_ranges_the_download_starts_again(server, path):
    server.ranges = False
    path.parent.mkdir()
    path.with_name("reviews.tar.gz.part").write_bytes(CONTENT[:1000])
    get(server, path)
    assert path.read_bytes() == CONTENT


def test_without_ranges_a_connection_that_always_drops_is_an_error(server, path):
    server.ranges = False
    server.bytes_a_connection = 1000
    with pytest.raises(SourceError, match=r"closed early \(3 attempts in a row\).*the next run continues it"):
        get(server, path)
    assert names(path) == ["reviews.tar.gz.part"]
    server.bytes_a_connection = None
    get(server, path)
    assert path.read_bytes() == CONTENT


def test_a_response_without_its_length_is_enough(server, path):
    server.sends_length = False
    get(server, path)
    assert path.read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing(server, path):
    server.content = b"something else"
    with pytest.raises(SourceError, match=f"expected {SHA256}") as caught:
        get(server, path)
    assert hashlib.sha256(b"something else").hexdigest() in str(caught.value)
    assert names(path) == []


def test_not_found_is_not_retried(server, path):
    server.statuses = [404]
    with pytest.raises(SourceError, match=r"answered 404 Not Found; check data\.download_url"):
        get(server, path)
    assert len(server.requested) == 1


def test_a_busy_server_is_retried(server, path):
    server.statuses = [503, 429, 500]
    get(server, path, attempts=4)
    assert path.read_bytes() == CONTENT


def test_a_server_that_stays_busy_is_an_error(server, path):
    server.statuses = [503] * 5
    with pytest.raises(SourceError, match="503"):
        get(server, path)
    assert len(server.requested) == 3


def test_an_archive_that_the_server_declares_as_encoded_stays_packed(server, path):
    server.encoding = "x-gzip"
    server.content = gzip.compress(CONTENT)
    get(server, path, hashlib.sha256(server.content).hexdigest())
    assert gzip.decompress(path.read_bytes()) == CONTENT


def test_redirects_are_followed_to_http_only(server, path):
    server.redirects_to = "/moved"
    get(server, path)
    assert path.read_bytes() == CONTENT
    path.unlink()
    server.redirects_to = "file:///etc/hosts"
    with pytest.raises(SourceError, match=r"unsupported protocol.*check data\.download_url"):
        get(server, path)
    assert len(server.requested) == 3


def test_an_unreachable_server_is_an_error(server, path):
    with pytest.raises(SourceError, match="could not be downloaded"):
        fetch("http://127.0.0.1:9/reviews.tar.gz", SHA256, path, attempts=2, backoff_seconds=0.001)


def test_other_schemes_than_http_are_refused(path):
    with pytest.raises(SourceError, match="must start with http"):
        fetch("file:///etc/hosts", SHA256, path)


def test_progress_is_logged_at_steps(server, path, caplog):
    with caplog.at_level("INFO", logger="imdb_attention.progress"):
        get(server, path)
    lines = [record.getMessage() for record in caplog.records]
    assert 1 < len(lines) <= 11
    assert lines == sorted(lines)
    assert lines[-1].endswith("1.0 of 1.0 MB")


def test_a_proxy_of_an_unknown_kind_is_an_error_that_names_the_remedy(server, path, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks4://127.0.0.1:9")
    with pytest.raises(SourceError, match=r"could not be downloaded: .*socks4.*; "):
        fetch(f"http://example.invalid:{server.server_port}/x", SHA256, path, attempts=1, backoff_seconds=0.001)
    get(server, path)  # this machine is asked directly


def test_a_socks_proxy_is_used(server, path, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    with pytest.raises(SourceError, match="could not be downloaded"):
        fetch(f"http://example.invalid:{server.server_port}/x", SHA256, path, attempts=1, backoff_seconds=0.001)
