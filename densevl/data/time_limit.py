"""A time limit that ends a process, since no thread can stop another that holds the interpreter's lock."""

from __future__ import annotations

import subprocess
import threading


class TimeLimit:
    """Kills a process when its time is over, unless stopped before; which of the two came first is never in doubt.

    Args:
        process: what is killed.
        seconds: from now on.
    """

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self.over = False
        self._process, self._is_stopped, self._lock = process, False, threading.Lock()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """From here on the process is safe."""
        with self._lock:
            self._is_stopped = True
        self._timer.cancel()

    def _end(self) -> None:
        with self._lock:
            if not self._is_stopped:
                self.over = True
                self._process.kill()
