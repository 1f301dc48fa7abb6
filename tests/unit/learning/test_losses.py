"""Losses: values against NumPy, chunks against the whole, models of other packages, failures."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import (
    ArgumentError,
    NetworkSymmetry,
    NoSymmetry,
    Outcome,
    fingerprint,
    hvp,
    start_points,
    value_and_grad,
)
from thalweg.learning import (
    LearningData,
    Mlp,
    PairwiseAuc,
    frozen_minibatch,
    loss_system,
    minibatch_energy,
    mlp_from_torch,
    network_system,
    parameters_of,
    sklearn_system,
    torch_system,
    zero_mode_report,
)
from thalweg.search import LBFGS, Newton, certify_many, quench_many

INPUTS = np.array(jax.random.normal(jax.random.key(3), (50, 2)))
CLASSES = (INPUTS[:, 0] * INPUTS[:, 1] > 0).astype(int) + (INPUTS[:, 0] > 1)
DATA = LearningData(INPUTS, CLASSES)
NUMBERS = LearningData(INPUTS, np.stack([INPUTS[:, 0] ** 2, INPUTS[:, 1]], axis=1))


@eqx.filter_jit
def derivatives(system, x, v):
    return *value_and_grad(system.energy, x), hvp(system.energy, x, v)


def points(system):
    keys = jax.random.split(jax.random.key(7))
    return tuple(jax.random.normal(k, (system.space.dof,)) for k in keys)


def test_sizes_activations_and_biases_of_a_network():
    assert [Mlp((3, 5, 4), biases=b).dof for b in ("each", "shared", "none")] == [44, 37, 35]
    for biases in ("each", "shared", "none"):
        net = Mlp((2, 3, 4, 2), ("tanh", "softplus"), biases)
        x = net.init(jax.random.key(0))
        assert x.shape == (net.dof,)
        layers = net.unravel(x)
        np.testing.assert_array_equal(net.ravel(layers), x)
        values = INPUTS
        for act, (weight, bias) in zip(
            (np.tanh, lambda z: np.logaddexp(z, 0.0), lambda z: z), layers, strict=True
        ):
            values = act(values @ np.asarray(weight).T + (0.0 if bias is None else bias))
        np.testing.assert_allclose(net(x, jnp.asarray(INPUTS)), values, atol=1e-13)
    with pytest.raises(ArgumentError, match="names 2 for 1 hidden layers"):
        Mlp((2, 3, 2), ("tanh", "tanh"))
    with pytest.raises(ArgumentError, match="none of tanh"):
        Mlp((2, 3, 2), "tan")


def test_one_output_is_the_log_odds_of_two_classes():
    data = LearningData(INPUTS, (CLASSES > 0).astype(int))
    one = network_system(Mlp((2, 1)), data)
    two = network_system(Mlp((2, 2)), data)
    w, b = np.array([0.3, -1.2]), 0.7
    x = np.concatenate([0 * w, w, [0.0, b]])
    assert float(one.energy(jnp.array([*w, b]))) == pytest.approx(float(two.energy(jnp.array(x))))


def test_the_smooth_area_becomes_the_mann_whitney_statistic():
    from sklearn.metrics import roc_auc_score

    scores = np.linspace(-1, 1, 50) + 0.3 * np.sin(7 * np.arange(50.0))
    data = LearningData(scores, (np.arange(50) % 5 > 2).astype(int))
    system = loss_system(lambda p, rows: p * rows, np.array(1.0), data, criterion=PairwiseAuc(1e5))
    area = roc_auc_score(data.targets, scores)
    assert 1.0 - float(system.energy(jnp.array([1.0]))) == pytest.approx(area, abs=1e-9)
    assert float(system.energy(jnp.array([-1.0]))) == pytest.approx(area, abs=1e-9)


@pytest.mark.parametrize("criterion", ["cross-entropy", "squared-error", "auc"])
def test_chunks_are_the_whole_to_rounding(criterion):
    data = NUMBERS if criterion == "squared-error" else DATA
    net = Mlp((2, 3, 2 if criterion == "squared-error" else 3))
    whole = network_system(net, data, criterion=criterion, l2=1e-3)
    parts = network_system(net, data, criterion=criterion, l2=1e-3, chunk=16)
    x, v = points(whole)
    for left, right in zip(derivatives(whole, x, v), derivatives(parts, x, v), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-14)
    inputs = whole.energy.data.inputs
    np.testing.assert_allclose(
        parts.energy.all_outputs(x, inputs), whole.energy.outputs(x, inputs), atol=1e-14
    )


def test_memory_of_a_hundred_thousand_rows_is_bounded():
    rows = np.zeros((100_000, 8))
    rows[::2] = 1.0
    data = LearningData(rows, np.arange(100_000) % 4)
    net = Mlp((8, 64, 64, 4))

    def scratch(chunk):
        system = network_system(net, data, chunk=chunk)
        program = eqx.filter_jit(lambda s, x: value_and_grad(s.energy, x))
        x = jnp.zeros(net.dof)
        return program.lower(system, x).compile().compiled.memory_analysis().temp_size_in_bytes

    bounded = scratch(None)  # the default: blocks of 2048 rows
    assert bounded < 20e6
    assert scratch(100_000) > 5 * bounded


def test_programs_are_shared_by_data_of_one_shape():
    traces = []

    def predict(params, inputs):
        traces.append(1)
        return inputs @ params.T

    first = loss_system(predict, np.zeros((3, 2)), DATA, l2=1e-3)
    second = loss_system(predict, np.ones((3, 2)), DATA.split(0, 0.98)[0], l2=1e-4)
    third = loss_system(predict, np.ones((3, 2)), LearningData(INPUTS[::-1], CLASSES), l2=0.1)
    run = eqx.filter_jit(lambda system, x: system.energy(x))
    traces.clear()
    values = [float(run(system, jnp.ones(6))) for system in (first, third, second)]
    assert len(traces) == 2  # two shapes
    assert values[0] != values[1]
    assert fingerprint(first) != fingerprint(third)


def test_a_model_that_does_not_fit_its_data_is_refused():
    with pytest.raises(ArgumentError, match="4 outputs and the data 3 classes"):
        network_system(Mlp((2, 3, 4)), DATA)
    with pytest.raises(ArgumentError, match="needs classes"):
        network_system(Mlp((2, 3, 2)), NUMBERS)
    with pytest.raises(ArgumentError, match="needs numbers"):
        network_system(Mlp((2, 3, 3)), DATA, criterion="squared-error")
    with pytest.raises(ArgumentError, match="failed on 50 rows of 2 features"):
        network_system(Mlp((5, 3, 3)), DATA)
    with pytest.raises(ArgumentError, match=r"the criterion returned shape \(\)"):
        network_system(Mlp((2, 3, 3)), DATA, criterion=lambda out, t: jnp.mean(out))
    with pytest.raises(ArgumentError, match="none of cross-entropy"):
        network_system(Mlp((2, 3, 3)), DATA, criterion="hinge")
    with pytest.raises(ArgumentError, match="l2=-1"):
        network_system(Mlp((2, 3, 3)), DATA, l2=-1.0)
    with pytest.raises(ArgumentError, match="got a dict"):
        network_system({}, DATA)
    with pytest.raises(ArgumentError, match="floating-point"):
        loss_system(lambda p, rows: rows, np.arange(3), DATA)


def test_equinox_networks_bring_their_symmetry():
    for options, kind, smooth in (
        ({"activation": jax.nn.tanh}, "odd", True),
        ({"activation": lambda z: jnp.tanh(z), "use_bias": False}, "odd", True),
        ({"activation": jax.nn.softplus}, "plain", True),
        ({}, "plain", False),
    ):
        model = eqx.nn.MLP(2, 3, 4, 2, key=jax.random.key(0), **options)
        system = network_system(model, DATA, l2=1e-3)
        x = jnp.asarray(parameters_of(model))
        np.testing.assert_allclose(
            system.energy.outputs(x, DATA.inputs), jax.vmap(model)(DATA.inputs), atol=1e-14
        )
        assert system.energy.smooth == smooth
        assert [(layer.units, layer.kind) for layer in system.symmetry.layers] == [(4, kind)] * 2
        order = np.array([2, 0, 3, 1])
        layer = system.symmetry.layers[1]
        y = np.asarray(x).copy()
        y[layer.incoming], y[layer.outgoing] = y[layer.incoming[order]], y[layer.outgoing[order]]
        assert float(system.energy(jnp.asarray(y))) == pytest.approx(float(system.energy(x)))
        assert system.symmetry.align(np.asarray(x), y)[1] < 1e-8


def test_other_equinox_models_have_none_that_is_known():
    keys = jax.random.split(jax.random.key(1), 2)
    dense = [eqx.nn.Linear(2, 4, key=keys[0]), eqx.nn.Linear(4, 3, key=keys[1])]
    plain = eqx.nn.Sequential([dense[0], eqx.nn.Lambda(jnp.tanh), eqx.nn.Dropout(0.5), dense[1]])
    system = network_system(plain, DATA, l2=1e-3)
    assert isinstance(system.symmetry, NetworkSymmetry)
    normed = eqx.nn.Sequential([dense[0], eqx.nn.LayerNorm(4), eqx.nn.Lambda(jnp.tanh), dense[1]])
    assert isinstance(network_system(normed, DATA, l2=1e-3).symmetry, NoSymmetry)
    shared = network_system(Mlp((2, 3, 3), biases="shared"), DATA, l2=1e-3).symmetry
    assert [layer.kind for layer in shared.layers] == ["plain"]


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")  # where it stopped does not matter
def test_estimators_of_scikit_learn_keep_their_loss():
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    options = {"solver": "lbfgs", "max_iter": 400, "tol": 1e-6, "random_state": 0}
    labels = np.array(["x", "y", "z"])[CLASSES]
    net = MLPClassifier((3,), activation="tanh", alpha=0.5, **options).fit(INPUTS, labels)
    system, x = sklearn_system(net, INPUTS, labels)
    assert float(system.energy(jnp.asarray(x))) == pytest.approx(net.loss_, abs=1e-12)
    fit = MLPRegressor(hidden_layer_sizes=(3,), activation="logistic", alpha=0.5, **options)
    fit.fit(INPUTS, np.asarray(NUMBERS.targets))
    system, x = sklearn_system(fit, INPUTS, np.asarray(NUMBERS.targets))
    assert float(system.energy(jnp.asarray(x))) == pytest.approx(fit.loss_, abs=1e-12)
    linear = LogisticRegression(C=0.7, tol=1e-10, max_iter=1000).fit(INPUTS, CLASSES)
    system, x = sklearn_system(linear, INPUTS, CLASSES)
    # It is the minimum, up to where the estimator stopped; the biases may shift together.
    polished = certify_many(system, x[None], 0)[0]
    assert polished.certificate.ok
    assert polished.certificate.zero_modes == polished.certificate.expected_zero_modes == 1
    assert system.symmetry.align(polished.x, x)[1] < 1e-5
    with pytest.raises(ArgumentError, match="not fitted"):
        sklearn_system(MLPClassifier(), INPUTS, CLASSES)
    with pytest.raises(ArgumentError, match="got a dict"):
        sklearn_system({}, INPUTS, CLASSES)


def test_torch_networks_are_converted():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Linear(2, 4),
        torch.nn.Tanh(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(4, 4),
        torch.nn.GELU(),
        torch.nn.Linear(4, 3),
    ).eval()
    model, x = mlp_from_torch(module)
    assert model == Mlp((2, 4, 4, 3), ("tanh", "gelu"))
    with torch.no_grad():
        expected = module.double()(torch.from_numpy(INPUTS)).numpy()
    np.testing.assert_allclose(model(x, jnp.asarray(INPUTS)), expected, atol=1e-12)
    system = network_system(module, DATA, l2=1e-3)
    assert [layer.kind for layer in system.symmetry.layers] == ["odd", "plain"]
    with pytest.raises(ArgumentError, match="BatchNorm1d cannot be converted"):
        network_system(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)), DATA)
    rows, targets = torch.from_numpy(INPUTS), torch.from_numpy(CLASSES)

    def loss(net):
        penalty = sum((p * p).sum() for p in net.parameters())
        return torch.nn.functional.cross_entropy(net(rows), targets) + 1e-3 * penalty

    host, own = torch_system(module, loss)
    value, gradient = value_and_grad(host.energy, jnp.asarray(own))
    direct = value_and_grad(system.energy, jnp.asarray(x))
    assert float(value) == pytest.approx(float(direct[0]), abs=1e-12)
    np.testing.assert_allclose(np.linalg.norm(gradient), np.linalg.norm(direct[1]), rtol=1e-9)


def test_minibatches_are_a_noisy_energy_with_the_right_mean():
    system = network_system(Mlp((2, 3, 3)), DATA, l2=1e-2)
    x, _ = points(system)
    noisy = minibatch_energy(system, 5)
    draws = jax.vmap(lambda key: jnp.stack(noisy.function(key, x)))(
        jax.random.split(jax.random.key(0), 4000)
    )
    values, variances = np.asarray(draws).T
    error = values.std() / np.sqrt(len(values))
    # False alarms: 1 in 16,000 for the mean at 4 σ.
    assert abs(values.mean() - float(system.energy(x))) < 4 * error
    assert variances.mean() == pytest.approx(values.var(), rel=0.15)
    assert "not <exp" in noisy.law
    frozen = frozen_minibatch(system, np.arange(5))
    assert frozen.name == "network (frozen batch of 5 of 50 rows)"
    assert float(frozen.energy(x)) != float(system.energy(x))
    with pytest.raises(ArgumentError, match="pairs of rows"):
        minibatch_energy(network_system(Mlp((2, 3, 3)), DATA, criterion="auc"), 5)
    with pytest.raises(ArgumentError, match="two rows at least"):
        minibatch_energy(system, 1)


def test_separable_data_without_a_penalty_have_no_minimum():
    rows = np.array([-2.0, -1.0, 1.0, 2.0])
    data = LearningData(rows, (rows > 0).astype(int))
    free = network_system(Mlp((1, 1)), data)
    ended = quench_many(free, np.array([[0.3, 0.1], [2.0, -0.4]]))
    found = certify_many(free, ended.x, 0)
    assert {point.certificate.outcome for point in found} == {Outcome.no_minimum}
    assert "L2 penalty" in found[0].certificate.outcome.message
    held = network_system(Mlp((1, 1)), data, l2=1e-2)
    assert certify_many(held, quench_many(held, np.ones((1, 2))).x, 0)[0].certificate.ok


def test_weights_without_a_penalty_that_run_away_have_escaped():
    rows = np.asarray(jax.random.normal(jax.random.key(0), (40, 2)))
    data = LearningData(rows, (rows[:, 0] * rows[:, 1] > 0).astype(int))
    free = network_system(Mlp((2, 3, 2)), data)
    starts = np.asarray(start_points(free, jax.random.key(1), 0, 8))
    ended = quench_many(free, starts, (LBFGS(max_steps=60), Newton(max_step=0.5)))
    assert (ended.outcome == Outcome.escaped).any()
    assert not (ended.outcome == Outcome.max_steps).any()
    wide = network_system(Mlp((2, 3, 2)), data, extent=1e4)
    assert wide.space.extent == 1e4
    assert network_system(Mlp((2, 3, 2)), data, l2=1e-3).space.extent == np.inf


def test_kinks_are_told_by_the_certificate():
    system = network_system(Mlp((2, 3, 3), "relu"), DATA, l2=1e-2)
    assert not system.energy.smooth
    assert [layer.kind for layer in system.symmetry.layers] == ["plain"]
    point = certify_many(system, np.zeros((1, system.space.dof)), 0)[0]
    assert "kinks ignored" in point.certificate.method
    assert "ReLU" in Outcome.stalled.message
    smooth = network_system(Mlp((2, 3, 3), "softplus"), DATA, l2=1e-2)
    assert smooth.energy.smooth


def test_units_that_are_off_for_all_data_are_named():
    net = Mlp((2, 2, 1), "relu")
    inputs = np.abs(INPUTS)
    x = np.array([1.0, 0.5, -1.0, -1.0, -0.8, -0.5, 1.0, 1.0, 0.3])
    values = np.asarray(net(jnp.asarray(x), jnp.asarray(inputs)))
    system = network_system(net, LearningData(inputs, values), criterion="squared-error")
    report = zero_mode_report(system, x)
    assert not report.ok
    assert "1 ReLU units are off for all data" in str(report)
    # Off: two weights, a bias and what leaves it; on: its scaling is the one that symmetry knows.
    assert report.zero_modes == 4 + 1
    assert dict(report.explained)["scalings of hidden units"] == 2
