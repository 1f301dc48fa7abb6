"""Numbers as text, and text as numbers."""

import json

import numpy as np
import pytest

from thalweg.cli import _values as values
from thalweg.cli._talk import CliError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("60s", 60.0),
        ("10m", 600.0),
        ("10min", 600.0),
        ("1h30m", 5400.0),
        ("0.5h", 1800.0),
        ("2d", 172800.0),
        (" 1 h 30 m ", 5400.0),
    ],
)
def test_durations_are_read(text, seconds):
    assert values.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-5s", "10parsec", "h", "1h30", "nan", "inf"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(CliError, match="no length of time") as caught:
        values.parse_duration(text)
    assert "1h30m" in caught.value.hint


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (60, "1 min"),
        (605, "10 min 05 s"),
        (3600, "1 h"),
        (7385, "2 h 03 min"),
    ],
)
def test_durations_are_written(seconds, text):
    assert values.duration(seconds) == text


def test_clock():
    assert [values.clock(s) for s in (0, 62.9, 3602)] == ["0:00", "1:02", "1:00:02"]


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (1, "minimum", "1 minimum"),
        (1204, "minimum", "1,204 minima"),
        (0, "transition state", "0 transition states"),
        (2, "search", "2 searches"),
        (1, "quench", "1 quench"),
        (256, "quench", "256 quenches"),
    ],
)
def test_counts(number, noun, text):
    assert values.count(number, noun) == text


def test_all_is_said_only_of_all():
    assert values.share(1.0) == "100 %"
    assert values.share(0.99999) == "99.9 %"
    assert values.share(0.804) == "80 %"


def test_json_has_no_infinity():
    made = values.plain({"a": float("inf"), 1: (np.float64("nan"), np.arange(2))})
    assert json.dumps(made, allow_nan=False) == '{"a": null, "1": [null, [0, 1]]}'
