"""Ctrl-C: the first one finishes what is in hand, the second one ends at once.

The signals are read from a wake-up socket by a thread of their own, because Python's handlers
wait until compiled code returns, and a round may take a minute.
"""

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_ONE_WISH = 0.3
"""Seconds in which a second signal is the first one's echo: `timeout` sends both to the process
and to its group."""


class Interrupts:
    """Listens for SIGINT and SIGTERM while its `with` block runs.

    Attributes:
        received: The first signal, or `None` as long as there was none.
    """

    def __init__(self, on_first: Callable[[], None], on_second: Callable[[], None]):
        """Listen from `__enter__` on.

        Args:
            on_first: Called at the first signal, from another thread.
            on_second: Called at the second, before the process ends.
        """
        self.received: int | None = None
        self._on_first = on_first
        self._on_second = on_second

    def asked(self) -> bool:
        """Whether somebody asked to stop."""
        return self.received is not None

    def __enter__(self) -> "Interrupts":
        self._active = threading.current_thread() is threading.main_thread()
        if self._active:
            self._reader, self._writer = socket.socketpair()
            self._writer.setblocking(False)
            self._old_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
            self._old = {number: signal.signal(number, _nothing) for number in _SIGNALS}
            threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._active:
            for number, handler in self._old.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(self._old_fd)
            self._writer.close()  # the thread reads the end of file and ends

    def _listen(self) -> None:
        first = 0.0
        while data := self._reader.recv(1):
            if data[0] not in _SIGNALS:
                continue
            if self.received is None:
                self.received = data[0]
                first = time.monotonic()
                self._on_first()
            elif time.monotonic() - first > _ONE_WISH:
                self._on_second()
                for child in multiprocessing.active_children():
                    child.kill()
                os._exit(128 + data[0])
        self._reader.close()


def _nothing(_number: int, _frame: object) -> None:
    """Keep Python from raising; the thread does the rest."""
