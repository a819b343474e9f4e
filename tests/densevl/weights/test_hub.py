"""The hub's own client against a hub on the loopback: what is there, what is not, and the cache."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

CONTENT = b"weights" * 1000
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SCRIPT = """
from densevl.core.errors import WeightsError
from densevl.weights.download import fetch_from_hub
try:
    print(fetch_from_hub("owner/name", ("model.safetensors", "model.bin")).read_bytes()[:7].decode())
except WeightsError as error:
    print("refused:", error)
"""


class _Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        found = self.path.partition("?")[0] in (
            "/owner/name/resolve/main/model.bin",
            f"/owner/name/resolve/{COMMIT}/model.bin",
        )
        body = CONTENT if found else b""
        self.send_response(200 if found else 404)
        self.send_header("X-Repo-Commit", COMMIT)
        if found:
            self.send_header("ETag", f'"{hashlib.sha256(CONTENT).hexdigest()}"')
        else:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(endpoint: str, home: Path, **environment: str) -> str:
    """In a process of its own: the client reads its settings when it is imported."""
    hub = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, env={**os.environ, **hub, **environment}, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_first_file_that_is_there_is_downloaded_and_cached(endpoint: str, tmp_path: Path) -> None:
    assert fetch(endpoint, tmp_path) == "weights"
    assert list(tmp_path.rglob("model.bin"))
    nobody_there = "http://127.0.0.1:9"
    assert fetch(nobody_there, tmp_path, HF_HUB_OFFLINE="1").startswith("refused")  # the first name is not cached


@pytest.mark.slow  # the hub's client tries again and again
def test_a_hub_that_cannot_be_reached_is_a_weights_error(tmp_path: Path) -> None:
    assert fetch("http://127.0.0.1:9", tmp_path).startswith("refused: cannot reach the hub for owner/name")
