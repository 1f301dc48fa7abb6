"""Campaigns sample conditions in proportion to their average weight, however they are served.

The noisy double well is `U = 4(x² - 1)² + x/2`, log w = -U + s z - s²/2 with s = 1:
P(x > 0) = 0.28243, ⟨x⟩ = -0.42922, by quadrature. A naive sampler that measures the present point
again at each step would give 0.350 (transition matrix). Every |z| < 4 has a false-alarm rate of
6e-5.

Run-time shape checks are off here: they make a well a hundred times dearer.
"""

import subprocess
import sys
import textwrap

import jaxtyping
import numpy as np
import pandas as pd
import pytest
from scipy import integrate
from scipy.special import ndtri

from thalweg.sampling.campaign import Campaign, Cloud, Levels, Range, Single

pytestmark = pytest.mark.statistical

WELL = [Range("x", -2.5, 2.5, step=1.0)]
RIGHT = 0.28243


@pytest.fixture(autouse=True)
def unchecked():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def normal(request):
    return ndtri((request.seed + 0.5) / 2.0**63)


def measure(request, s=1.0):
    x = request.conditions["x"]
    return float(np.exp(-4 * (x * x - 1) ** 2 - 0.5 * x + s * normal(request) - s * s / 2))


def starts(n):
    """Quantiles of the exact distribution."""
    x = np.linspace(-2.5, 2.5, 20001)
    cumulative = integrate.cumulative_trapezoid(np.exp(-4 * (x**2 - 1) ** 2 - x / 2), x, initial=0)
    where = (np.arange(n) + 0.5) / n * cumulative[-1]
    return [{"x": float(v)} for v in np.interp(where, cumulative, x)]


def run(campaign, rounds, reader, **options):
    for _ in range(rounds):
        campaign.tell_many([(r.id, reader(r)) for r in campaign.ask(**options)])
    return campaign.samples()


def z(estimate, exact):
    return (estimate.value - exact) / estimate.error


def test_exact_value():
    def w(x):
        return np.exp(-4 * (x * x - 1) ** 2 - x / 2)

    total = integrate.quad(w, -2.5, 2.5)[0]
    assert integrate.quad(w, 0, 2.5)[0] / total == pytest.approx(RIGHT, abs=5e-6)


@pytest.mark.parametrize(
    ("chains", "rounds", "error"),
    [(120, 50, 0.05), pytest.param(384, 150, 0.016, marks=pytest.mark.slow)],
)
def test_noisy_double_well(chains, rounds, error):
    with Campaign.create(
        ":memory:", WELL, chains=chains, start=starts(chains), burn_in=10, key=1
    ) as campaign:
        samples = run(campaign, rounds, measure)
        right = samples.average(lambda c: c["x"] > 0)
        assert right.error < error
        assert abs(z(right, RIGHT)) < 4
        assert abs(z(samples.average(lambda c: c["x"]), -0.42922)) < 4
        status = campaign.status()
        assert 0.15 < status.acceptance < 0.22
        assert campaign.verify().ok


def test_levels_with_noise_of_every_kind():
    """Frequencies are ratios of average weights; the noise differs from level to level."""
    means = np.array([0.5, 2.0, 1.0, 1.0, 3.0, 0.5])
    spread = np.array([0.0, 0.5, 1.0, 1.5, 1.0, 0.3])

    def reader(request):
        i = int(request.conditions["dose"])
        if i == 3:  # a rare but large result instead of a lognormal one
            return 4.0 if normal(request) > ndtri(0.75) else 0.0
        return float(means[i] * np.exp(spread[i] * normal(request) - spread[i] ** 2 / 2))

    levels = [Levels("dose", range(6), step=2, periodic=True)]
    with Campaign.create(":memory:", levels, chains=150, burn_in=10, key=5) as campaign:
        samples = run(campaign, 50, reader)
        for i, share in enumerate(means / means.sum()):
            found = samples.average(lambda c, i=i: c["dose"] == i)
            assert found.error < 0.03
            assert abs(z(found, share)) < 4, i
        assert campaign.status().ess > 400


def test_repeats_on_spare_wells_know_the_noise():
    """Fresh over stored is 1 on average (positive weights); log stored - log fresh is s²."""
    ring = [Range("x", 0, 1, step=0.2, periodic=True)]
    with Campaign.create(":memory:", ring, chains=150, key=2) as campaign:
        run(campaign, 15, lambda r: float(np.exp(normal(r) - 0.5)))
        run(campaign, 10, lambda r: float(np.exp(normal(r) - 0.5)), n=450, repeats=True)
        status = campaign.status()
        assert abs(status.noise - 1.0) < 0.06
        assert abs(z(status.redraw_ratio, 1.0)) < 4
        stored, fresh = np.array([row[2:] for row in campaign._current().repeats]).T
        gap = np.log(stored) - np.log(fresh)
        assert abs(gap.mean() - 1.0) < 4 * gap.std() / np.sqrt(len(gap) / 4)
        # accepted on a flat landscape: erfc(s / 2)
        table = campaign.decisions().query("step > 10")
        assert table["accepted"].mean() == pytest.approx(0.4795, abs=0.04)


def test_yes_or_no():
    """p = exp(-x²/2) in [-3, 3]: accept if and only if it passes."""

    def passes(request):
        return bool(normal(request) < ndtri(np.exp(-(request.conditions["x"] ** 2) / 2)))

    second = integrate.quad(lambda x: x * x * np.exp(-x * x / 2), -3, 3)[0]
    second /= integrate.quad(lambda x: np.exp(-x * x / 2), -3, 3)[0]
    box = [Range("x", -3, 3, step=1.5)]
    for kernel in (Single(), Single(3), Cloud(5, radius=1.0)):
        with Campaign.create(
            ":memory:", box, outcome="pass", kernel=kernel, chains=80, burn_in=5, key=4
        ) as campaign:
            samples = run(campaign, 25, passes)
            found = samples.average(lambda c: c["x"] ** 2)
            assert found.error < 0.1 * second
            assert abs(z(found, second)) < 4, kernel


def test_signed_outcomes():
    """Yields minus their background: averages carry the sign."""

    def reader(request):
        return 1.0 + 0.8 * request.conditions["x"] + 0.7 * normal(request)

    with Campaign.create(
        ":memory:", [Range("x", -1, 1, step=0.8)], outcome="signed", chains=120, burn_in=5
    ) as campaign:
        found = run(campaign, 35, reader).average(lambda c: c["x"])
        assert found.error < 0.05
        assert abs(z(found, 0.8 / 3)) < 4


@pytest.mark.slow
def test_reading_at_a_moment_is_biased_and_samples_are_not():
    """Where x > 0 a measurement takes three times as long: 0.541 of the chains wait there."""
    n, ticks = 260, 300
    shares = []
    with Campaign.create(
        ":memory:", WELL, chains=n, start=starts(n), burn_in=10, key=8
    ) as campaign:
        run(campaign, 1, measure)
        due: dict[int, list] = {}
        for tick in range(ticks):
            x = campaign._current().x[:, 0]
            for r in campaign.ask():
                due.setdefault(tick + (3 if x[r.chain] > 0 else 1), []).append(r)
            campaign.tell_many([(r.id, measure(r)) for r in due.pop(tick, [])])
            if tick > 150:
                shares.append(np.mean(campaign._current().x[:, 0] > 0))
        assert np.mean(shares) > 0.45
        right = campaign.samples().average(lambda c: c["x"] > 0)
        assert campaign.status().furthest_step > 1.5 * campaign.samples().steps
        assert right.error < 0.04
        assert abs(z(right, RIGHT)) < 4


def test_averaging_repeats_into_the_stored_weight_would_be_biased():
    """Why a repeat never touches a stored value: on two states of equal average weight.

    A has the weight 1, B has 0.1 or 1.9. The chain's law is that of Π(x, w) ∝ m(w) w; if each step
    also replaces the stored weight by its mean with a new one, B is no longer visited half of the
    time. Solved exactly for the chain that keeps the first two draws.
    """
    low, high = 0.1, 1.9
    values = {"keep": [low, high], "average": [low, high, (low + high) / 2]}
    shares = {}
    for rule, weights in values.items():
        states = [("A", 1.0), *(("B", w) for w in weights)]
        matrix = np.zeros((len(states), len(states)))
        for i, (place, w) in enumerate(states):
            for draw in (low, high) if place == "A" else (1.0,):
                chance = 0.5 if place == "A" else 1.0
                goal = states.index(("B", draw)) if place == "A" else 0
                accept = min(1.0, draw / w)
                matrix[i, goal] += chance * accept
                for fresh in (low, high):  # it stays: a repeat comes in, or not
                    mean = (w + fresh) / 2
                    stays = i
                    if rule == "average" and place == "B" and w in (low, high):
                        stays = states.index(("B", w if fresh == w else mean))
                    matrix[i, stays] += chance * (1 - accept) / 2
        values_, vectors = np.linalg.eig(matrix.T)
        law = np.real(vectors[:, np.argmax(np.real(values_))])
        shares[rule] = 1 - law[0] / law.sum()
    assert shares["keep"] == pytest.approx(0.5, abs=1e-12)
    assert abs(shares["average"] - 0.5) > 0.01


_ROBOT = """
import hashlib, os, random, signal, sys, time
import numpy as np
from scipy.special import ndtri
from thalweg.sampling.campaign import Campaign, Measurement

path, steps, kills = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

def result(r):
    if r.seed % 23 == 0:
        return Measurement(r.id, status="lost")
    x = r.conditions["x"]
    z = ndtri((r.seed + 0.5) / 2.0**63)
    return Measurement(r.id, float(np.exp(-4 * (x * x - 1) ** 2 - 0.5 * x + z - 0.5)))

def work(steps):
    shuffle = random.Random(os.getpid())
    told = []
    with Campaign.open(path) as campaign:
        while campaign.status().common_step < steps:
            wells = campaign.pending() + campaign.ask(40)
            shuffle.shuffle(wells)
            wells = wells[: max(1, len(wells) * 4 // 5)]
            batch = [result(r) for r in wells] + shuffle.sample(told, min(5, len(told)))
            campaign.tell_many(batch)
            told += batch

for kill in range(kills + 1):
    child = os.fork()
    if child == 0:
        try:
            work(steps if kill == kills else 10**9)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if kill < kills:
        time.sleep(0.15 + 0.13 * kill)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if kill < kills:
        assert os.WIFSIGNALED(status), status
assert status == 0, status
"""


def test_killed_and_resumed_is_the_same_chain(tmp_path):
    """SIGKILL at any moment; results missing, repeated, lost and out of order."""
    steps, chains = 30, 32
    with Campaign.create(tmp_path / "a.db", WELL, chains=chains, start=starts(chains), key=6):
        pass
    command = [sys.executable, "-c", textwrap.dedent(_ROBOT), str(tmp_path / "a.db"), str(steps)]
    done = subprocess.run([*command, "5"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with (
        Campaign.open(tmp_path / "a.db") as killed,
        Campaign.create(":memory:", WELL, chains=chains, start=starts(chains), key=6) as calm,
    ):
        while calm.samples().steps < steps:
            wells = calm.ask()
            lost = [r for r in wells if r.seed % 23 == 0]
            for r in lost:
                calm.tell(r.id, status="lost")
            calm.tell_many([(r.id, measure(r)) for r in wells if r.seed % 23])
        tables = []
        for campaign in (killed, calm):
            table = campaign.decisions()
            tables.append(table[table["step"] <= steps].reset_index(drop=True))
        pd.testing.assert_frame_equal(*tables, check_exact=True)
        assert np.array_equal(killed.samples(steps).points, calm.samples(steps).points)
        assert killed.status().lost > 10
        assert killed.verify().ok


def test_the_log_alone_recomputes_the_chain():
    """Metropolis by hand on the exported table: nothing else is needed."""
    with Campaign.create(":memory:", WELL, chains=5, key=9, kernel=Single(2)) as campaign:
        run(campaign, 20, measure)
        table = campaign.decisions()
        results = campaign.observations()
    for _, chain in table.groupby("chain"):
        x = log_w = None
        for row in chain.itertuples(index=False):
            values = row._asdict()
            if values["why"] != "start":
                assert values["_4"] == x
                assert values["log_w"] == log_w
                accept = np.log(values["u"]) < values["log_w_new"] - log_w
                assert accept == values["accepted"]
            if values["accepted"]:
                x, log_w = values["_5"], values["log_w_new"]
    stored = results.groupby(results["id"].str.rsplit("-", n=1).str[0])["weight"].mean()
    assert np.isin(np.round(np.log(stored), 9), np.round(table["log_w_new"].dropna(), 9)).all()
