"""Runs a server for as long as somebody holds its stdin open: ``python keeper.py COMMAND...``.

The server gets a process group of its own. When stdin ends, because it was closed or because the process that held
it is gone, however it went, the whole group is ended: no server outlives the run that started it, and no GPU
stays taken. Imports nothing of askew, so that it costs no more than a bare interpreter.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

GRACE = 15.0
"""Seconds in which a server may end by itself."""


def end_group(group: int, grace: float = GRACE) -> None:
    """End every process of a process group: politely, then not. A group that is gone already is no error."""
    deadline = time.monotonic() + grace
    try:
        os.killpg(group, signal.SIGTERM)
        while time.monotonic() < deadline:
            os.killpg(group, 0)  # raises once nobody is left
            time.sleep(0.05)
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def main(command: list[str]) -> int:
    """Run ``command`` until it ends or stdin does; its exit code."""
    # A group of its own: a member that outlives the server itself is still found and ended.
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603

    def watch() -> None:
        sys.stdin.buffer.read()
        end_group(server.pid)

    threading.Thread(target=watch, daemon=True).start()
    code = server.wait()
    end_group(server.pid, grace=2.0)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
