"""The models: what they compute, what they refuse, what they say of themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.circuits import (
    LeakyRNN,
    Organics,
    OrganicsLayers,
    SupralinearNetwork,
    ThreeTypeOrganics,
    WilsonCowan,
    circuit,
    circuit_energy,
    circuit_names,
    gru,
    iterate_fixed_point,
    load_circuit,
    oscillators,
    ring,
    ring_recurrence,
    save_circuit,
    stack,
)
from thalweg.core import ArgumentError, StoreError, StoreVersionError, UnknownSystemError
from thalweg.dynamics import certify, certify_batch

ZERO = jnp.zeros(())


@pytest.fixture(scope="module")
def pair():
    keys = jax.random.split(jax.random.key(0), 3)
    made = {
        variant: Organics(
            jax.random.uniform(keys[0], (2, 2)),
            b=0.8,
            b0=0.4,
            sigma=0.3,
            tau_y=[1.0, 2.0],
            tau_a=3.0,
            W_r=jax.random.normal(keys[1], (2, 2)),
            variant=variant,
        )
        for variant in ("main", "rectified", "head", "head-unrectified", "ring")
    }
    return made, jnp.array([0.6, -0.9])


def test_the_variants_place_the_rectification_as_listed(pair):
    made, z = pair
    x = jnp.array([0.7, -0.4, 0.3, 1.9])
    y, a = np.asarray(x[:2]), np.asarray(x[2:])

    def up(v):
        return np.maximum(v, 0)

    for variant, one in made.items():
        W, W_r = np.asarray(one.W), np.asarray(one.W_r)
        again = {"rectified": W_r @ up(y), "head": up(W_r @ y)}.get(variant, W_r @ y)
        push = np.asarray(z) if variant in {"main", "rectified"} else up(np.asarray(z))
        power = up(y) ** 2 if variant in {"rectified", "head", "ring"} else y**2
        dy = (-y + 0.8 * push + (1 - np.sqrt(a)) * again) / np.array([1.0, 2.0])
        da = (-a + (0.4 * 0.3) ** 2 + W @ (a * power)) / 3.0
        np.testing.assert_allclose(one(ZERO, x, z), np.concatenate([dy, da]), rtol=1e-14)


def test_derivatives_stay_finite_where_a_gain_is_zero(pair):
    made, z = pair
    for one in made.values():
        matrix = jax.jacfwd(lambda x, one=one: one(ZERO, x, z))(jnp.zeros(4))
        assert np.isfinite(matrix).all()


def test_symmetries_of_the_main_circuit(pair):
    made, z = pair
    one, k = made["main"], 3.0
    x = jnp.array([0.7, -0.4, 0.3, 1.9])
    scale = jnp.array([k, k, 1.0, 1.0])
    other = Organics(
        one.W / k**2, b=one.b, b0=one.b0, sigma=one.sigma, tau_y=one.tau_y, tau_a=one.tau_a,
        W_r=one.W_r,
    )  # fmt: skip
    np.testing.assert_allclose(other(ZERO, scale * x, k * z), scale * one(ZERO, x, z), rtol=1e-13)
    mirror = jnp.array([-1.0, -1.0, 1.0, 1.0])
    np.testing.assert_allclose(one(ZERO, mirror * x, -z), mirror * one(ZERO, x, z), rtol=1e-13)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"W": [[1.0, 2.0]]}, "W has the shape"),
        ({"W": [[-1.0]]}, "must not be negative"),
        ({"W": [[np.nan]]}, "NaN or infinities"),
        ({"W": "many"}, "no array of numbers"),
        ({"tau_y": 0.0}, "tau_y must be positive"),
        ({"sigma": -1.0}, "sigma must be positive"),
        ({"b": [1.0, 2.0]}, "b has the shape"),
        ({"W_r": [1.0]}, "W_r has the shape"),
        ({"W_zx": [[1.0], [2.0]]}, "W_zx has the shape"),
        ({"variant": "poster"}, "none of main"),
        ({"b0": 1j}, "expected real ones"),
    ],
)
def test_wrong_parameters_are_told(wrong, says):
    with pytest.raises(ArgumentError, match=says):
        Organics(**({"W": [[1.0]]} | wrong))


def test_wrong_drives_and_questions_are_told(pair):
    made, z = pair
    one = made["main"]
    with pytest.raises(ArgumentError, match="needs a drive"):
        certify(one)
    with pytest.raises(ArgumentError, match="expected \\(2,\\)"):
        one(ZERO, jnp.zeros(4), jnp.zeros(3))
    with pytest.raises(ArgumentError, match="closed form holds"):
        one.normalised(z)
    with pytest.raises(ArgumentError, match="has none"):
        iterate_fixed_point(made["head"], z)
    plain = Organics(np.ones((2, 2)))
    with pytest.raises(ArgumentError, match="neuron 2 has no drive"):
        circuit_energy(plain, jnp.array([1.0, 0.0]))
    with pytest.raises(ArgumentError, match="variant 'rectified'"):
        circuit_energy(Organics(np.ones((2, 2)), variant="rectified"), z)
    with pytest.raises(ArgumentError, match="cannot be stacked"):
        stack([plain, Organics([[1.0]])])
    with pytest.raises(ArgumentError, match="no circuits"):
        stack([])
    with pytest.raises(ArgumentError, match="bring no proof"):
        certify_batch(stack([one, one]), jnp.stack([z, z]))
    with pytest.raises(ArgumentError, match="neither"):
        certify_batch(stack([plain, plain]), jnp.stack([z, z]), mode="guess")


def test_an_identity_given_as_a_matrix_has_the_theorem_too():
    z = jnp.array([0.4, -0.3])
    one = Organics(np.ones((2, 2)), sigma=0.5, W_r=np.eye(2))
    theorem = one.theorems(z)[0]
    assert theorem.applies
    assert theorem.proves == {"stable", "all"}
    np.testing.assert_allclose(
        theorem.points[0], Organics(np.ones((2, 2)), sigma=0.5).normalised(z)
    )


def test_a_silent_unit_of_a_rectified_circuit_is_decided_by_the_theorem():
    one = Organics(np.ones((3, 3)), b=0.7, sigma=0.4, variant="rectified")
    z = jnp.array([0.9, 0.0, -0.5])
    assert one.smoothness(one.normalised(z)) == 0  # no linearisation there
    theorem = one.theorems(z)[0]
    assert theorem.applies
    form = oscillators(one, z)
    assert form.eigenvalues.real.max() < 0


def test_layers_rest_where_each_layer_does(pair):
    made = circuit("organics-layers").circuit
    x = jnp.array([0.3, -0.1, 0.8, 0.2])
    rest = made.normalised(x)
    assert np.max(np.abs(made(ZERO, rest, x))) < 1e-12
    first = made.layers[0].normalised(x)
    rates = jnp.maximum(first[:6], 0) ** 2
    np.testing.assert_allclose(rest[12:], made.layers[1].normalised(rates))
    np.testing.assert_allclose(made.rates(rest), np.maximum(rest[12:15], 0) ** 2)
    assert made.theorems(x)[0].applies
    matrix = np.asarray(jax.jacfwd(lambda v: made(ZERO, v, x))(rest))
    assert np.all(matrix[:12, 12:] == 0)
    assert np.linalg.eigvals(matrix).real.max() < 0
    with pytest.raises(ArgumentError, match="layer 2 takes"):
        OrganicsLayers([made.layers[1], made.layers[0]])
    with pytest.raises(ArgumentError, match="at least one"):
        OrganicsLayers([])


def test_three_cell_types_normalise_as_two_do():
    made = ThreeTypeOrganics(np.ones((2, 2)), b0=0.5, sigma=0.2, tau=[1.0, 0.5, 3.0], alpha=0.3)
    z = jnp.array([0.8, -0.5])
    rest = made.normalised(z)
    assert np.max(np.abs(made(ZERO, rest, z))) < 1e-14
    gain = 0.5 / 1.5
    two = Organics(np.ones((2, 2)), b=gain, b0=gain, sigma=0.2).normalised(z)
    np.testing.assert_allclose(rest[:4], two, rtol=1e-13)
    with pytest.raises(ArgumentError, match="needs u < 1"):
        made.normalised(10 * z)


def test_the_ring_is_as_described():
    W_r = ring_recurrence(24)
    np.testing.assert_allclose(W_r, W_r.T)
    assert np.linalg.norm(W_r, 2) <= 1 + 1e-12
    np.testing.assert_allclose(np.roll(W_r, (1, 1), (0, 1)), W_r, atol=1e-14)
    made = ring(24, angles=24, recurrent=False)
    x = jnp.zeros(24).at[6].set(0.8)
    response = np.asarray(made.normalised(x))[:24]
    assert int(np.argmax(response)) == 6
    with pytest.raises(ArgumentError, match="9 taps"):
        ring_recurrence(5)


def test_peers_compute_their_equations():
    W = np.array([[1.25, -0.65], [1.2, -0.5]])
    r, h = np.array([3.0, 1.0]), np.array([2.0, -9.0])
    made = SupralinearNetwork(W, tau=[0.02, 0.01], k=0.3, power=2.0)
    expected = (-r + 0.3 * np.maximum(W @ r + h, 0) ** 2) / [0.02, 0.01]
    np.testing.assert_allclose(made(ZERO, jnp.asarray(r), jnp.asarray(h)), expected)
    with pytest.raises(ArgumentError, match="below 1"):
        SupralinearNetwork(W, power=0.5)
    with pytest.raises(ArgumentError, match="subtract inhibition"):
        WilsonCowan((16, -12, 15, 3))
    rest = WilsonCowan()(ZERO, jnp.zeros(2), jnp.zeros(2))
    np.testing.assert_allclose(rest, 0, atol=1e-15)
    network = LeakyRNN([[0.5]], bias=0.1, W_in=[[1.0, 2.0]], activation="relu")
    assert float(network(ZERO, jnp.array([2.0]), jnp.array([1.0, -1.0]))[0]) == pytest.approx(-1.9)
    with pytest.raises(ArgumentError, match="none of tanh"):
        LeakyRNN([[1.0]], activation="gelu")


def test_a_gru_is_equinoxs():
    made = gru(3, 4, jax.random.key(0))
    x, u = jnp.arange(4.0) / 5, jnp.array([0.1, -0.2, 0.3])
    np.testing.assert_allclose(made(ZERO, x, u), made.cell(u, x))
    assert made.dof == 4


@pytest.mark.parametrize("name", list(circuit_names()))
def test_files_give_back_what_was_saved(name, tmp_path):
    named = circuit(name)
    path = save_circuit(tmp_path / "c.npz", named)
    again = load_circuit(path)
    assert (again.name, again.description) == (name, named.description)
    assert jax.tree.structure(again.circuit) == jax.tree.structure(named.circuit)
    jax.tree.map(np.testing.assert_array_equal, again.circuit, named.circuit)
    if named.drive is not None:
        np.testing.assert_array_equal(again.drive, named.drive)
    x = jnp.full(named.circuit.dof, 0.3)
    moved = named.circuit(ZERO, x, named.drive)
    np.testing.assert_array_equal(again.circuit(ZERO, x, named.drive), moved)


def test_bad_files_are_told(tmp_path):
    with pytest.raises(StoreError, match="there is no file"):
        load_circuit(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(StoreError, match="holds no circuit"):
        load_circuit(tmp_path / "text.npz")
    np.savez(tmp_path / "arrays.npz", a=np.ones(3))
    with pytest.raises(StoreError, match="holds no circuit"):
        load_circuit(tmp_path / "arrays.npz")
    path = save_circuit(tmp_path / "c.npz", circuit("organics-scalar"))
    with np.load(path) as file:
        parts = {key: file[key] for key in file.files}
    header = str(parts["header"])
    np.savez(path, **(parts | {"header": header.replace('"schema": 1', '"schema": 99')}))
    with pytest.raises(StoreVersionError, match="format 99"):
        load_circuit(path)
    np.savez(path, **(parts | {"circuit.W": -np.ones((1, 1))}))
    with pytest.raises(ArgumentError, match="must not be negative"):
        load_circuit(path)
    parts.pop("circuit.W")
    np.savez(path, **parts)
    with pytest.raises(StoreError, match="is damaged"):
        load_circuit(path)
    with pytest.raises(ArgumentError, match=r"written as \.npz"):
        save_circuit(tmp_path / "c.json", circuit("organics-scalar"))
    with pytest.raises(ArgumentError, match="cannot be saved"):
        save_circuit(tmp_path / "c.npz", object())


def test_unknown_names_get_a_suggestion():
    with pytest.raises(UnknownSystemError, match="organics-scalar"):
        circuit("organic-scalar")
