"""The first signal asks, the second one ends."""

import os
import signal
import time

from thalweg.cli._interrupt import Interrupts


def _wait(condition):
    for _ in range(200):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("nothing happened")


def test_the_first_signal_asks_and_the_second_ends(monkeypatch):
    said, ended = [], []
    monkeypatch.setattr(os, "_exit", ended.append)
    before = signal.getsignal(signal.SIGINT)
    with Interrupts(lambda: said.append("first"), lambda: said.append("second")) as stop:
        assert not stop.asked()
        os.kill(os.getpid(), signal.SIGINT)
        _wait(stop.asked)
        assert stop.received == signal.SIGINT
        os.kill(os.getpid(), signal.SIGINT)  # an echo: `timeout` sends every signal twice
        time.sleep(0.35)
        assert not ended
        os.kill(os.getpid(), signal.SIGTERM)
        _wait(lambda: ended)
    assert said == ["first", "second"]
    assert ended == [128 + signal.SIGTERM]
    assert signal.getsignal(signal.SIGINT) is before


def test_signals_are_left_alone_afterwards():
    with Interrupts(lambda: None, lambda: None) as stop:
        pass
    assert not stop.asked()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
