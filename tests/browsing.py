"""A page on loopback, and headless Chromium to look at it with."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.applications import Starlette

needs_chromium = pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")), reason="needs Debian's chromium"
)


@contextmanager
def served(build: Callable[[str], Starlette]) -> Iterator[str]:
    """Serve the app that ``build`` makes of its Host header; gives its address."""
    import uvicorn

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    host = f"127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(build(host), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://{host}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def chromium(size: str) -> Any:
    """A headless browser with a window of ``"width,height"``."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--window-size={size}"):
        options.add_argument(flag)
    options.binary_location = str(shutil.which("chromium"))
    return webdriver.Chrome(options, webdriver.ChromeService(str(shutil.which("chromedriver"))))
