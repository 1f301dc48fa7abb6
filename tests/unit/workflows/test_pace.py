"""Rounds that grow, and a budget that holds."""

from thalweg.workflows import _pace
from thalweg.workflows._pace import Pace, round_size


def test_rounds_double_up_to_what_is_wished():
    assert [round_size("minimise", 100, k) for k in range(6)] == [8, 16, 32, 64, 100, 100]
    assert [round_size("climb", 3, k) for k in range(2)] == [3, 3]
    assert round_size("climb", 512, 1_000_000) == 512


def test_a_budget_is_held_to_half_a_round(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(_pace.time, "perf_counter", lambda: now[0])
    pace = Pace(60.0)
    assert not pace.late
    now[0] += 30.0
    assert pace.late
    pace.learn("climb", 4, 20.0)
    assert not pace.spent(pace.seconds, "climb", 8)  # would end 10 s late rather than 30 s early
    assert pace.spent(pace.seconds, "climb", 16)
    assert not pace.spent(59.0, None, 0)
    assert pace.spent(60.0, None, 0)


def test_without_a_budget_there_is_time():
    pace = Pace(None)
    pace.learn("climb", 4, 20.0)
    assert not pace.late
    assert not pace.spent(1e9, "climb", 512)
