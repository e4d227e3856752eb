"""Servers on loopback that answer what a test says: an endpoint for cases, and a chat model."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, bytes, dict[str, str]]
Answer = Callable[[dict[str, Any], dict[str, str]], Reply]


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    """A server whose replies are ``answer(body, headers)``."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, content, headers = answer(body, {key.lower(): value for key, value in self.headers.items()})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            try:
                self.wfile.write(content)
            except OSError:
                return  # the client has given up

        def log_message(self, *_: object) -> None:
            """Quiet."""

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{served.server_address[1]}/label"
    finally:
        served.shutdown()
        served.server_close()
        thread.join()


def reply(data: object, status: int = 200, **headers: str) -> Reply:
    return status, json.dumps(data).encode(), headers


def completion(content: str | None, refusal: str | None = None, ended: str = "stop") -> Reply:
    message = {"role": "assistant", "content": content, "refusal": refusal}
    choice = {"index": 0, "message": message, "finish_reason": ended}
    return reply({"id": "1", "object": "chat.completion", "created": 0, "model": "tiny", "choices": [choice]})
