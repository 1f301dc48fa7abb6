"""Maps of flows whose graphs are known: attractors, saddles, cycles, and what leads where."""

import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.circuits import LeakyRNN, Organics, WilsonCowan
from thalweg.core import (
    AbstractDynamics,
    AbstractMap,
    ArgumentError,
    GradientFlow,
    StoreMismatchError,
)
from thalweg.dynamics import recognise_cycle
from thalweg.landscape import Landscape
from thalweg.workflows import FlowMapConfig, map_flow


class VanDerPol(AbstractDynamics):
    """`x'' = μ (1 - x²) x' - x`: a source inside an attracting cycle; period 6.6633 at μ = 1."""

    dof = 2

    def __call__(self, t, x, drive):
        del t
        return jnp.stack([x[1], drive * (1 - x[0] ** 2) * x[1] - x[0]])


class Logistic(AbstractMap):
    """`x → r x (1 - x)`; at r = 3.2 the period is two."""

    dof = 1

    def __call__(self, t, x, drive):
        del t
        return drive * x * (1.0 - x)


class Spiral(AbstractDynamics):
    """A weakly damped rotation: it comes back almost, and is no cycle."""

    def __call__(self, t, x, drive):
        del t
        return jnp.stack([-0.005 * x[0] - x[1], x[0] - 0.005 * x[1]])


@pytest.mark.slow
def test_mueller_brown(mueller_brown, tmp_path):
    """Three minima, two saddles, and the connections that steepest descent makes."""
    surface, network = mueller_brown
    grid = np.stack(np.meshgrid(np.linspace(-1.4, 1.1, 9), np.linspace(-0.3, 1.9, 9)), -1)
    graph = map_flow(
        GradientFlow(surface.energy), tmp_path / "mb.db", starts=grid.reshape(-1, 2), name="mb"
    )
    kinds = [node.kind for node in graph.nodes]
    assert kinds.count("rest") == 3
    assert kinds.count("saddle") == 2
    assert graph.undecided == 0
    rests = [node for node in graph.nodes if node.kind == "rest"]
    number = {
        node.id: int(np.argmin(np.linalg.norm(network.points - node.x, axis=1))) for node in rests
    }
    for node in rests:
        np.testing.assert_allclose(node.x, network.points[number[node.id]], atol=1e-6)
    pairs = {tuple(sorted((number[a], number[b]))) for _, a, b in graph.connections()}
    assert pairs == {tuple(sorted(pair)) for pair in network.ts_minima.tolist()}
    assert sum(node.hits for node in rests) == graph.starts - graph.blown_up


@pytest.mark.slow
def test_a_cycle_with_a_fast_stretch_is_one(tmp_path):
    """Wilson and Cowan's cycle: points evenly spaced in time leave gaps, paths arrive in them."""
    graph = map_flow(WilsonCowan(), tmp_path / "wc.db", jnp.array([1.25, 0.0]))
    assert sorted(node.kind for node in graph.nodes) == ["cycle", "source"]
    (cycle,) = (node for node in graph.nodes if node.kind == "cycle")
    assert cycle.hits == graph.starts == 256
    assert cycle.period == pytest.approx(4.99589, abs=1e-4)


@pytest.mark.slow
def test_van_der_pol(tmp_path):
    config = FlowMapConfig(starts=32, paths=16, time=60.0)
    graph = map_flow(VanDerPol(), tmp_path / "vdp.db", 1.0, config)
    assert [node.kind for node in graph.nodes] == ["source", "cycle"]
    cycle = graph.nodes[1]
    assert cycle.period == pytest.approx(6.66328686, abs=1e-7)
    np.testing.assert_allclose(cycle.eigenvalues, [1.0, 8.6e-4], atol=1e-5)
    assert cycle.residual < 1e-8
    assert graph.leading(cycle) == cycle.eigenvalues[1]
    assert cycle.hits == 16
    assert len(graph.links) == 4
    assert {link.target for link in graph.links} == {1}
    assert "1 source, 1 cycle" in str(graph)


def test_a_map_of_period_two(tmp_path):
    config = FlowMapConfig(starts=32, paths=32, scale=0.5)
    graph = map_flow(Logistic(), tmp_path / "logistic.db", 3.2, config)
    (cycle,) = [node for node in graph.nodes if node.kind == "cycle"]
    assert cycle.period == 2
    assert cycle.eigenvalues == pytest.approx(4 + 2 * 3.2 - 3.2**2, abs=1e-9)
    assert graph.discrete
    assert graph.leading(cycle) == cycle.eigenvalues[0]
    np.testing.assert_allclose(np.sort(cycle.loop[:, 0]), [0.513045, 0.799455], atol=1e-6)
    rests = sorted(float(node.x[0]) for node in graph.nodes if node.kind == "source")
    np.testing.assert_allclose(rests, [0.0, 1 - 1 / 3.2], atol=1e-10)
    assert graph.blown_up > 0


def test_bistable_circuit(tmp_path):
    """One unit with w_r = 2: two stable states and the saddle between them; killed and resumed."""
    circuit = Organics([[1.0]], W_r=[[2.0]], b=0.5, b0=0.5, sigma=0.1, tau_y=0.030, tau_a=0.002)
    drive, store = jnp.array([1.0]), tmp_path / "bistable.db"
    config = FlowMapConfig(starts=128, paths=64)
    said = []
    first = map_flow(
        circuit, store, drive, config, report=said.append, interrupted=lambda: len(said) >= 1
    )
    assert len(said) == 1
    assert not first.links
    graph = map_flow(circuit, store, drive, config, report=said.append)
    assert sorted(node.kind for node in graph.nodes) == ["rest", "rest", "saddle"]
    ((saddle, a, b),) = graph.connections()
    assert graph.nodes[saddle].kind == "saddle"
    assert {graph.nodes[a].kind, graph.nodes[b].kind} == {"rest"}
    assert a != b
    again = map_flow(circuit, store, drive, config, report=said.append)
    assert len(again.links) == len(graph.links) == 2
    with Landscape.open(store) as opened:
        assert opened.flow.connections() == graph.connections()
        assert opened.integrity().problems == ()
        runs = opened.store.frame("runs")
        assert runs["status"].tolist() == ["interrupted", "finished", "finished"]
        assert "64" in runs["config"][0]
        rounds = opened.store.frame("rounds")
        assert rounds["kind"].tolist() == ["rests", "starts", "ways"]
        assert rounds["run"].tolist() == [0, 1, 1]
    with pytest.raises(StoreMismatchError, match="belongs to the flow"):
        map_flow(circuit, store, 2 * drive, config)
    assert graph.to_networkx().number_of_edges() == 2


@pytest.mark.slow
def test_a_network_with_several_states(tmp_path):
    """Two stored patterns of a leaky network of 12 units: ±p₁, ±p₂, and 0 with two ways out."""
    patterns = np.array([[1.0] * 12, [1.0, -1.0] * 6])
    weights = 1.5 / 12 * patterns.T @ patterns
    graph = map_flow(
        LeakyRNN(weights, tau=1.0), tmp_path / "rnn.db", None, FlowMapConfig(scale=1.0)
    )
    rests = [node for node in graph.nodes if node.kind == "rest"]
    for pattern in [*patterns, *-patterns]:
        assert any(np.array_equal(np.sign(node.x), pattern) for node in rests)
    assert len(graph.connections()) >= 4
    ends = {end for _, a, b in graph.connections() for end in (a, b)}
    assert ends == {node.id for node in rests}
    assert all(node.hits > 0 for node in rests)


def test_what_is_no_cycle():
    assert recognise_cycle(Spiral(), [1.0, 0.0], time=60.0) is None
    assert recognise_cycle(Spiral(), [0.0, 0.0], time=60.0) is None
    with pytest.raises(ArgumentError, match="time=0"):
        recognise_cycle(Spiral(), [1.0, 0.0], time=0)


def test_wrong_wishes(tmp_path):
    with pytest.raises(ArgumentError, match="starts=0"):
        FlowMapConfig(starts=0)
    with pytest.raises(ArgumentError, match="time=-1"):
        FlowMapConfig(time=-1.0)
    with pytest.raises(ArgumentError, match="dof"):
        map_flow(Spiral(), tmp_path / "x.db")
