"""The trainer: what moves a parameter, what ends a run, and that a stop changes nothing."""

import dataclasses
import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.circuits.training import (
    Recipe,
    Shape,
    Split,
    Task,
    TrainConfig,
    Training,
    certify_network,
    compare,
    count_parameters,
    describe,
    fit,
    flow_abscissae,
    gradient_flow,
    interval,
    load_network,
    map_radius,
    matched_hidden,
    models,
    network,
    optimiser,
    organics_cell,
    parameters_of,
    sample_losses,
    score,
    task,
)
from thalweg.circuits.training._compare import judge
from thalweg.circuits.training._step import packs
from thalweg.core import ArgumentError, Outcome, PrecisionError, StoreError, StoreMismatchError

QUICK = TrainConfig(epochs=3, batch=32, rate=0.02)


@pytest.fixture(scope="module")
def digits():
    pytest.importorskip("sklearn")
    return task("digits")


@pytest.fixture(scope="module")
def trained(digits):
    return fit(Recipe("organics", "digits", digits.shape, (12,), 0), digits, QUICK)


def _leaves(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree) if eqx.is_array(leaf)]


def test_three_epochs_learn_the_digits(trained, digits):
    assert trained.outcome is Outcome.success
    assert trained.test_score > 0.85
    assert len(trained.history["epoch"]) == 3
    assert trained.history["train_loss"][-1] < trained.history["train_loss"][0]
    assert trained.parameters == 2 * 12 * 64 + 12**2 + 12 + 130
    again = score(trained.model, digits, digits.test)
    assert again.score == trained.test_score
    # W_r = I: the theorem holds at every input, and it is said.
    (_, found), *_ = trained.certificates
    assert found.stable
    assert found.found == [200]
    assert found.worst[0] < 0
    assert "W_r = I" in found.theorem


def test_single_precision_is_refused_before_anything_is_trained(digits):
    recipe = Recipe("organics", "digits", digits.shape, (12,), seed=0)
    with jax.enable_x64(False), pytest.raises(PrecisionError, match="float64"):
        fit(recipe, digits, TrainConfig(epochs=1))


def test_what_a_stop_leaves_goes_on_as_if_nothing_was(trained, digits, tmp_path):
    """Stopped within an epoch and resumed twice, the run gives the same bits."""
    recipe, path = trained.recipe, tmp_path / "run.checkpoint"
    count = itertools.count()
    first = fit(recipe, digits, QUICK, checkpoint=path, stop=lambda: next(count) == 54)
    assert first.interrupted
    assert len(first.history["epoch"]) == 1
    # An interruption by the keyboard is kept as well.
    later = itertools.count()

    def press():
        if next(later) == 39:
            raise KeyboardInterrupt
        return False

    second = fit(recipe, digits, QUICK, checkpoint=path, stop=press)
    assert second.interrupted
    third = fit(recipe, digits, QUICK, checkpoint=path)
    assert not third.interrupted
    for mine, theirs in zip(_leaves(third.last), _leaves(trained.last), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for name, column in trained.history.items():
        if name != "seconds":
            np.testing.assert_array_equal(third.history[name], column, err_msg=name)
    # More epochs may be asked for; anything else is another run.
    with pytest.raises(StoreMismatchError, match="config"):
        fit(recipe, digits, dataclasses.replace(QUICK, rate=0.1), checkpoint=path)
    path.write_bytes(b"nothing")
    with pytest.raises(StoreError, match="holds no trained network"):
        fit(recipe, digits, QUICK, checkpoint=path)


def test_adam_and_nothing_else():
    """Gradients of any size give the textbook's updates: nothing clips or rescales them."""
    config = TrainConfig(rate=0.1, decay=0.5, decay_every=1, l2=0.01)
    chain = optimiser(config, 2)
    p = jnp.asarray([1.0, -2.0], jnp.float64)
    state = chain.init(p)
    q, m, v = np.array([1.0, -2.0]), np.zeros(2), np.zeros(2)
    for t, size in enumerate((1e-6, 1e6, 1e12, 3.0), start=1):
        gradient = size * np.array([0.3, -0.7])
        with jax.numpy_dtype_promotion("standard"):
            change, state = chain.update(jnp.asarray(gradient), state, p)
        p = p + change
        gradient = gradient + 0.01 * q
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        rate = 0.1 * 0.5 ** ((t - 1) // 2)
        q = q - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        np.testing.assert_allclose(p, q, rtol=1e-7)  # the rate is float32
    assert describe(TrainConfig()).startswith("scale_by_adam")
    assert "clip" not in describe(config)
    assert optimiser(config, 2) is chain


def test_batches_are_filled_up_with_nothing():
    parts = packs(np.arange(10), 4)
    assert [int(w.sum()) for _, w in parts] == [4, 4, 2]
    assert {len(index) for index, _ in parts} == {4}
    seen = np.concatenate([index[w > 0] for index, w in parts])
    np.testing.assert_array_equal(np.sort(seen), np.arange(10))


def test_scores_do_not_depend_on_padding(trained, digits):
    few = Split(digits.test.x[:37], digits.test.y[:37])
    logits = trained.model(jnp.asarray(few.x))
    losses = sample_losses(logits, jnp.asarray(few.y), "class")
    whole = score(trained.model, digits, Split(digits.test.x[:37], digits.test.y[:37]))
    assert whole.loss == pytest.approx(float(losses.mean()), rel=1e-6)
    hits = np.asarray(logits).argmax(axis=1) == few.y
    assert whole.score == pytest.approx(hits.mean())


def test_a_run_that_diverges_is_an_outcome(digits, tmp_path):
    """A supralinear network, pushed hard, runs away; the record says where."""
    recipe = Recipe("ssn", "digits", digits.shape, (10,), 0)
    path = tmp_path / "run.checkpoint"
    config = TrainConfig(epochs=3, batch=128, rate=3.0)
    run = fit(recipe, digits, config, checkpoint=path)
    assert run.outcome is Outcome.nonfinite
    assert run.failed_at is not None
    assert math.isnan(run.test_score)
    assert all(np.isfinite(leaf).all() for leaf in _leaves(run.last))
    # It is not tried again.
    again = fit(recipe, digits, config, checkpoint=path)
    assert again.failed_at == run.failed_at


def test_patience_ends_a_run(digits):
    config = dataclasses.replace(QUICK, epochs=50, rate=1e-9, patience=2)
    run = fit(Recipe("mlp", "digits", digits.shape, (3,), 0), digits, config)
    assert len(run.history["epoch"]) < 50
    assert len(run.history["epoch"]) == run.best + 1 + 2


def test_a_comparison_is_written_and_read(digits, tmp_path):
    found = compare(
        digits, ["organics", "mlp"], dataclasses.replace(QUICK, epochs=1), hidden=12, seeds=2,
        folder=tmp_path,
    )  # fmt: skip
    first, second = found.rows
    assert abs(first.parameters - second.parameters) < 0.05 * first.parameters
    assert first.runs == second.runs == 2
    assert first.score.count == 2
    assert first.worst < 0
    (verdict,) = found.verdicts
    assert verdict.difference.mean == pytest.approx(first.score.mean - second.score.mean)
    names = {path.name for path in tmp_path.iterdir()}
    for end in ("eqx", "csv", "npz", "certificate.json", "checkpoint"):
        assert f"organics-digits-12-1.{end}" in names
    model, recipe, facts = load_network(tmp_path / "organics-digits-12-1.eqx")
    run = next(r for r in found.runs if r.recipe == recipe)
    assert facts["optimiser"] == run.chain
    for mine, theirs in zip(_leaves(model), _leaves(run.model), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(StoreError, match="no trained network"):
        load_network(tmp_path / "organics-digits-12-1.checkpoint")
    with pytest.raises(StoreError, match="no trained network"):
        load_network(tmp_path / "nowhere.eqx")


def test_intervals_are_students():
    from scipy import stats

    values = np.array([0.91, 0.93, 0.90, np.nan, 0.95])
    found = interval(values)
    known = values[np.isfinite(values)]
    low, high = stats.t.interval(0.95, 3, known.mean(), stats.sem(known))
    assert found.count == 4
    assert found.mean - found.half == pytest.approx(low)
    assert found.mean + found.half == pytest.approx(high)
    assert math.isnan(interval([1.0]).half)
    assert interval([]).count == 0


def _runs(shape, scores, *, failed=()):
    """Runs as they come out of training, with given scores."""
    return [
        Training(
            recipe=Recipe("any", "digits", shape, (1,), seed),
            config=QUICK,
            model=None,
            last=None,
            history={"test_score": np.array([value])},
            outcome=Outcome.nonfinite if seed in failed else Outcome.success,
            failed_at=(1, 1) if seed in failed else None,
            best=0,
            parameters=1,
            certificates=(),
            chain="",
            seconds=1.0,
            interrupted=False,
        )
        for seed, value in enumerate(scores)
    ]


@pytest.mark.parametrize(
    ("length", "ours", "theirs", "holds"),
    [
        (0, (0.95, 0.96, 0.95), (0.90, 0.91, 0.90), True),
        (0, (0.90, 0.91, 0.90), (0.95, 0.96, 0.95), False),
        (0, (0.90, 0.96, 0.93), (0.92, 0.91, 0.95), None),
        (64, (0.950, 0.952, 0.951), (0.955, 0.956, 0.955), True),
        (64, (0.90, 0.901, 0.902), (0.95, 0.951, 0.952), False),
        (64, (0.90, 0.96, 0.93), (0.92, 0.91, 0.95), None),
    ],
)
def test_verdicts(digits, length, ours, theirs, holds):
    shape = Shape(1, 10, length)
    one = dataclasses.replace(digits, shape=shape)
    found = judge(one, "a", _runs(shape, ours), "b", _runs(shape, theirs))
    assert found.holds is holds
    word = {True: "holds here", False: "does NOT hold", None: "undecided"}[holds]
    assert word in found.sentence
    # Diverged runs are left out and counted.
    part = judge(one, "a", _runs(shape, ours), "b", _runs(shape, theirs, failed=(0, 1)))
    assert part.holds is None
    assert part.difference.count == 1
    assert part.difference.mean == pytest.approx(ours[2] - theirs[2])
    assert "2 of 3 runs of b diverged" in part.sentence


def test_equal_parameters():
    shape = Shape(1, 10, 784)
    assert parameters_of("organics", shape, 128) == 100_490
    assert parameters_of("organics", shape, 64) == 25_674
    assert {"organics", "lstm", "gru", "ssn"} < set(models(shape))
    for name in ("lstm", "ssn"):
        hidden = matched_hidden(name, shape, 25_674)
        got = parameters_of(name, shape, hidden)
        assert abs(got - 25_674) < 0.03 * 25_674, name
    built = network("gru", shape, 10, jax.random.key(0))
    assert count_parameters(built) == parameters_of("gru", shape, 10)


@pytest.mark.parametrize("name", ["organics-bounded", "ssn-half", "mlp", "organics-conv"])
def test_every_static_model_answers(name, digits):
    model = network(name, digits.shape, 4, jax.random.key(0))
    assert model(jnp.asarray(digits.test.x[:3])).shape == (3, 10)


@pytest.mark.slow
def test_two_layers_and_a_decoder(digits):
    model = network("organics", digits.shape, (6, 5), jax.random.key(0), encoder=(20, 8))
    x = jnp.asarray(digits.test.x[:3])
    assert model(x).shape == (3, 10)
    assert [entry.shape for entry in model.entries(x)] == [(3, 8), (3, 6)]
    assert float(model.extra_loss(x).min()) > 0
    found = certify_network(model, digits, inputs=5)
    assert found.found == [5, 5]
    assert max(found.worst) < 0


def test_certificate_is_the_spectrum_of_the_flow(trained, digits):
    from thalweg.circuits.training import cast, rest_jacobian

    layer = cast(trained.model.layers[0], jnp.float64)
    x = jnp.asarray(digits.test.x[:2], jnp.float64)
    y, a = layer.rest(x)
    expected = np.linalg.eigvals(np.asarray(rest_jacobian(layer.circuit(x), y, a)) / 3.0)
    np.testing.assert_allclose(flow_abscissae(layer, x, tau=3.0), expected.real.max(axis=1))


@pytest.mark.slow
def test_radius_of_a_map():
    """A circuit of fixed gains without recurrence: y relaxes by 1 − h√a, a by 1 − h."""
    cell = organics_cell(1, 3, jax.random.key(1), largest=(0.5, 0.5, 0.5), dtype=jnp.float64)
    radius = map_radius(cell, jnp.asarray([0.3]))
    assert 0 < radius < 1.5
    still = eqx.tree_at(
        lambda c: (c.from_input, c.gates_from_y, c.gates_from_a, c.recurrent.raw, c.pool.log),
        cell,
        (
            jnp.zeros_like(cell.from_input),
            jnp.zeros_like(cell.gates_from_y),
            jnp.zeros_like(cell.gates_from_a),
            jnp.zeros((3, 3)),
            jnp.full((3, 3), -50.0),
        ),
    )
    assert map_radius(still, jnp.asarray([0.3])) == pytest.approx(
        float(1.0 - still.steps.min()), abs=1e-9
    )


def _toy(length=5):
    """Sequences whose class is the sign of their first number."""
    x = np.asarray(jax.random.normal(jax.random.key(0), (16, length, 1), jnp.float32))
    split = Split(x, (x[:, 0, 0] > 0).astype(np.int32))
    return Task("toy", Shape(1, 2, length), "class", split, split, split, 0.5)


def test_gradients_travel_by_the_jacobians():
    """∂L/∂h_{T−lag} is the product of the steps' Jacobians, transposed, times ∂L/∂h_T."""
    toy = _toy()
    model = network("rnn", toy.shape, 4, jax.random.key(0))
    flow = gradient_flow(model, toy, samples=1)
    assert flow.norms.shape == (5,)
    np.testing.assert_array_equal(flow.lags, [1, 2, 5])
    for lag, values in zip(flow.lags[:2], flow.singular_values[:2], strict=True):
        ratio = flow.norms[lag] / flow.norms[0]
        assert values.min() * (1 - 1e-9) <= ratio <= values.max() * (1 + 1e-9)
    # The last step's singular values are those of lag 1.
    np.testing.assert_allclose(flow.step_singular_values[-1, 0], flow.singular_values[0].max())
    assert flow.ratio(1) == pytest.approx(flow.norms[1] / flow.norms[0])
    assert ((flow.oscillation >= 0) & (flow.oscillation <= 1)).all()


def test_signs_that_alternate_are_seen():
    toy = _toy()
    model = network("rnn", toy.shape, 4, jax.random.key(0))
    steady = eqx.tree_at(
        lambda m: (m.cell.recurrent, m.cell.from_input, m.cell.bias),
        model,
        (
            0.5 * jnp.eye(4, dtype=jnp.float32),
            jnp.zeros((4, 1), jnp.float32),
            jnp.zeros(4, jnp.float32),
        ),
    )
    assert gradient_flow(steady, toy, jacobians=False).oscillation.max() == 0.0
    flipping = eqx.tree_at(lambda m: m.cell.recurrent, steady, -steady.cell.recurrent)
    assert gradient_flow(flipping, toy, jacobians=False).oscillation.min() == 1.0


def test_wrong_calls(digits, trained):
    with pytest.raises(ArgumentError, match="no model 'lstm' for this task"):
        network("lstm", digits.shape, 4, jax.random.key(0))
    with pytest.raises(ArgumentError, match="read by one layer"):
        network("lstm", Shape(1, 2, 5), (4, 4), jax.random.key(0))
    with pytest.raises(ArgumentError, match="epochs=0"):
        TrainConfig(epochs=0)
    with pytest.raises(ArgumentError, match="rate=-1"):
        TrainConfig(rate=-1.0)
    with pytest.raises(ArgumentError, match="at least one seed"):
        compare(digits, ["organics"], QUICK, seeds=0)
    with pytest.raises(ArgumentError, match="needs a network"):
        gradient_flow(trained.model, digits)
