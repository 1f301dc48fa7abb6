"""What readers of a loss say, on outputs and points written down by hand."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.core import ArgumentError
from thalweg.landscape import TransitionNetwork
from thalweg.learning import (
    BatchLoss,
    Curvatures,
    LearningData,
    Mlp,
    Predictions,
    agreement_of,
    auc,
    curvatures_of,
    ensemble_scores,
    error_correlation,
    held_out_data,
    network_system,
    parameter_distances,
    predictions_of,
    read_data,
    read_loss,
    sgd_temperature,
    stationary_covariance,
    thermal_predictions,
)
from thalweg.search import quench_many
from thalweg.thermo import HarmonicEnsemble

CLASSES = np.array([0, 1, 2, 1])


def logits(*labels):
    """Outputs that are sure of these classes."""
    return 6.0 * np.eye(3)[list(labels)]


@pytest.fixture
def hand():
    """Three solutions: all right, one wrong, two wrong."""
    outputs = np.stack([logits(0, 1, 2, 1), logits(0, 1, 2, 2), logits(0, 0, 2, 2)])
    return Predictions(ids=np.array([7, 3, 5]), outputs=outputs, targets=CLASSES, classes=3)


def test_scores_by_hand(hand):
    scores = hand.scores()
    assert scores.accuracy == pytest.approx([1.0, 0.75, 0.5])
    assert scores.error == pytest.approx([0.0, 0.25, 0.5])
    sure, unsure = np.log(1 + 2 * np.exp(-6)), np.log(2 + np.exp(6))
    assert scores.loss == pytest.approx([sure, 0.75 * sure + 0.25 * unsure, 0.5 * (sure + unsure)])
    assert scores.auc_classes[0] == pytest.approx([1, 1, 1])
    # Class 2 of the second: its one datum and a wrong one share the highest probability.
    assert scores.auc_classes[1, 2] == pytest.approx(2.5 / 3)
    table = scores.table()
    assert table["id"].tolist() == [7, 3, 5]
    assert {"loss", "accuracy", "auc", "auc_0", "auc_2"} <= set(table.columns)


def test_a_single_output_is_the_log_odds_of_the_second_class():
    outputs = np.array([[[2.0], [-1.0]]])
    found = Predictions(ids=np.array([0]), outputs=outputs, targets=np.array([1, 1]), classes=2)
    assert found.probabilities[0, :, 1] == pytest.approx(1 / (1 + np.exp([-2.0, 1.0])))
    assert found.labels.tolist() == [[1, 0]]


def test_a_regression_has_errors_but_no_classes():
    outputs = np.array([[[1.0, 2.0], [0.0, 0.0]]])
    found = Predictions(ids=np.array([0]), outputs=outputs, targets=np.ones((2, 2)), classes=None)
    assert found.scores().loss == pytest.approx([1.5])
    assert found.scores().error == pytest.approx([1.5])
    assert list(found.scores().table().columns) == ["id", "loss"]
    with pytest.raises(ArgumentError, match="no probabilities"):
        _ = found.probabilities
    assert agreement_of(found).apart[0, 0] == -1
    assert ensemble_scores(found, draws=5).measures == ("loss",)


def test_a_class_that_is_missing_has_no_area():
    assert np.isnan(auc(np.array([0.1, 0.2]), np.array([True, True])))
    assert np.isnan(auc(np.array([0.1, np.nan]), np.array([True, False])))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"targets": np.array([0, 1])}, "2 targets"),
        ({"classes": 4}, "3 outputs for 4 classes"),
        ({"classes": None}, "targets have shape"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(hand, change, match):
    with pytest.raises(ArgumentError, match=match):
        dataclasses.replace(hand, **change)


def test_agreement_by_hand(hand):
    found = agreement_of(hand)
    assert found.agree[0].tolist() == [1.0, 0.75, 0.5]
    assert found.apart.tolist() == [[0, 1, 2], [1, 0, 1], [2, 1, 0]]
    assert found.rms[0, 1] == pytest.approx(np.sqrt(2 * 36 / 12))
    assert np.allclose(found.divergence, found.divergence.T)
    assert 0 < found.divergence[0, 1] < 0.25 * np.log(2)
    assert found.flipping.tolist() == [1, 3]
    assert found.flips[[1, 3]] == pytest.approx([2 / 3, 2 / 3])
    assert found.table()["a"].tolist() == [7, 7, 3]
    assert found.flips_table()["votes_2"].tolist() == [0, 2]


def test_an_ensemble_of_one_gains_nothing_and_of_many_votes():
    """Three solutions, each wrong on its own third of the data: together they are right."""
    targets = np.arange(300) % 2
    sure = np.where(np.eye(2)[targets] > 0, 2.0, -2.0)
    outputs = np.stack(
        [np.where((np.arange(300) % 3 == k)[:, None], -sure, sure) for k in (0, 1, 2)]
    )
    found = Predictions(ids=np.arange(3), outputs=outputs, targets=targets, classes=2)
    scores = ensemble_scores(found, key=1)
    accuracy = scores.measures.index("accuracy")
    assert scores.sizes.tolist() == [1, 2, 3]
    assert scores.values[[0, 2], accuracy] == pytest.approx([2 / 3, 1.0])
    assert np.abs(scores.gain_first[0]).max() < 1e-12
    assert (scores.gain_first[2, :, 0] > 0).all()
    assert (scores.gain_best[2, :, 0] > 0).all()
    # The standard error of a share of 300 data.
    expected = np.sqrt(2 / 9 / 300)
    assert scores.errors[0, accuracy] == pytest.approx(expected, rel=0.15)
    one = ensemble_scores(found, np.array([1.0, 0.0, 0.0]), key=1)
    assert one.values[:, accuracy] == pytest.approx(np.full(3, 2 / 3))
    assert len(scores.table()) == 3


@pytest.mark.parametrize("wrong", [{"sizes": [0]}, {"sizes": [4]}, {"weights": -np.ones(3)}])
def test_ensembles_out_of_range_are_refused(hand, wrong):
    with pytest.raises(ArgumentError):
        ensemble_scores(hand, **wrong)


def test_curvatures_read_a_spectrum():
    found = Curvatures(ids=np.array([0]), values=np.array([[0.02, 0.5, 2.0]]), l2=0.01)
    assert found.condition[0] == pytest.approx(100)
    assert found.log_determinant[0] == pytest.approx(np.log(0.02))
    assert found.at_penalty[0] == 1
    flat = Curvatures(ids=np.array([0]), values=np.array([[1e-14, 0.5, 2.0]]))
    assert (flat.zero[0], flat.at_penalty[0]) == (1, 1)
    assert flat.log_determinant[0] == pytest.approx(0.0, abs=1e-12)
    below = Curvatures(ids=np.array([0]), values=np.array([[-0.1, 0.5]]))
    assert np.isnan(below.condition[0])
    assert list(below.table()["lowest_curvature"]) == [-0.1]


@pytest.fixture(scope="module")
def line():
    """A softmax regression: convex, and small enough to compile at once."""
    inputs = np.asarray(jax.random.normal(jax.random.key(0), (40, 2)))
    data = LearningData(inputs, (inputs[:, 0] > 0.3 * inputs[:, 1]).astype(int))
    return network_system(Mlp((2, 2)), data, l2=0.01, name="line")


@pytest.fixture(scope="module")
def lowest(line):
    import thalweg

    return np.asarray(thalweg.quench(line, np.zeros(line.space.dof)).value.x)


def test_predictions_are_those_of_the_model(line, lowest):
    points = np.stack([lowest, lowest + 0.1, -lowest])
    found = predictions_of(line.energy, points, line.energy.data, np.array([4, 5, 6]))
    weight = np.asarray(line.energy.outputs(jnp.asarray(points[1]), line.energy.data.inputs))
    assert found.outputs[1] == pytest.approx(weight, abs=1e-12)
    loss = float(line.energy(jnp.asarray(lowest))) - 0.01 * np.sum(lowest**2)
    assert found.scores().loss[0] == pytest.approx(loss, abs=1e-12)
    assert found.scores().accuracy[0] > 0.9 > 0.2 > found.scores().accuracy[2]


def test_the_gauge_of_a_softmax_is_curved_by_the_penalty_alone(line, lowest):
    found = curvatures_of(line, lowest[None], np.array([0]))
    assert found.at_penalty[0] == 3  # two inputs and the bias: each column may be shifted
    assert found.values.shape == (1, line.space.dof)


def test_a_whole_reading(line, lowest):
    network = TransitionNetwork.bare(
        np.array([float(line.energy(jnp.asarray(lowest)))]), np.zeros(0), np.zeros((0, 2), int)
    )
    network = dataclasses.replace(network, points=lowest[None])
    test = LearningData(np.asarray(line.energy.data.inputs) + 0.2, line.energy.data.targets)
    reading = read_loss(network, line, test)
    table = reading.table()
    assert table["test_loss"][0] > table["train_loss"][0]
    assert {"train_auc", "test_accuracy", "condition", "barrier"} <= set(table.columns)
    assert reading.correlation is None
    assert any("correlation" in note for note in reading.notes)
    alone = read_loss(network, line, spectra=False)
    assert alone.test is None
    assert alone.thermal is None
    assert any("held-out" in note for note in alone.notes)
    with pytest.raises(ArgumentError, match="inputs of shape"):
        read_loss(network, line, LearningData(np.zeros((2, 3)), np.array([0, 1])))


def _alone(system, x):
    energy = np.array([float(system.energy(jnp.asarray(x)))])
    network = TransitionNetwork.bare(energy, np.zeros(0), np.zeros((0, 2), int))
    return dataclasses.replace(network, points=x[None])


def _log_box(system, x):
    """Of the box in which starts are drawn: three deviations, or a quarter farther than it."""
    reach = max(3.0 * float(system.start.scale), 1.25 * np.max(np.abs(x)))
    return system.space.dof * np.log(2.0 * reach)


def test_the_only_minimum_owns_the_box(line, lowest):
    reading = read_loss(_alone(line, lowest), line, spectra=False, volumes=[0], volume_calls=200)
    assert reading.log_volumes[0] == pytest.approx(_log_box(line, lowest))
    assert reading.volume_errors[0] < 0.02
    with pytest.raises(ArgumentError, match="no minimum 7"):
        read_loss(_alone(line, lowest), line, spectra=False, volumes=[7])


def test_images_share_a_box_evenly():
    inputs = np.linspace(-1.0, 1.0, 9)[:, None]
    data = LearningData(inputs, (inputs[:, 0] > 0.3).astype(int))
    system = network_system(Mlp((1, 1, 2)), data, l2=1e-3, name="one-unit")
    found = quench_many(
        system, np.asarray(jax.random.normal(jax.random.key(0), (8, system.space.dof)))
    )
    x = found.x[int(np.argmin(found.value))]
    reading = read_loss(_alone(system, x), system, spectra=False, volumes=[0], volume_calls=200)
    images = 2.0  # the sign of the unit
    expected = _log_box(system, x) - np.log(images)
    assert abs(reading.log_volumes[0] - expected) < 2 * reading.volume_errors[0] + 0.02


def test_reading_something_that_is_no_loss(mueller_brown):
    system, network = mueller_brown
    with pytest.raises(ArgumentError, match="no loss of data"):
        read_loss(network, system)


def test_thermal_predictions_are_means_over_occupations():
    network = TransitionNetwork.bare(np.array([0.0, 0.3, 0.35]), np.zeros(0), np.zeros((0, 2), int))
    network = dataclasses.replace(network, log_products=np.array([9.0, 1.0, 2.0]))
    ensemble = HarmonicEnsemble.of(network, modes=5)
    error = np.array([0.1, 0.2, 0.4])
    grid = np.geomspace(0.01, 1.0, 60)
    found = thermal_predictions(ensemble, error, grid)
    p = ensemble.occupations(grid)
    assert found.error == pytest.approx(p @ error)
    assert found.effective[0] == pytest.approx(1.0)
    assert found.effective.max() < 3.0
    (peak,) = found.peaks
    assert peak.falling.tolist() == [0]
    assert peak.falling_error == pytest.approx(0.1)
    assert 0.2 < peak.rising_error < 0.4
    assert len(found.peaks_table()) == 1
    with pytest.raises(ArgumentError, match="errors for 3 minima"):
        thermal_predictions(ensemble, error[:2], grid)


def test_rank_correlation_agrees_with_scipy():
    from scipy.stats import spearmanr

    x = np.asarray(jax.random.normal(jax.random.key(3), (30,)))
    y = np.round(x + np.asarray(jax.random.normal(jax.random.key(4), (30,))), 1)
    found = error_correlation({"x": x, "flat": np.ones(30)}, y, draws=400)
    assert found.correlation[0] == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
    assert found.low[0] < found.correlation[0] < found.high[0]
    assert found.chance[0] < 0.01
    assert np.isnan(found.correlation[1])
    same = error_correlation({"x": x}, np.asarray(y) * 0 + 1e-13 * x + 1.0, draws=10)
    assert np.isnan(same.correlation[0]), "differences of rounding are no order"
    with pytest.raises(ArgumentError, match="needs 4 minima"):
        error_correlation({"x": x[:3]}, y[:3])


def test_distances_of_parameters_are_modulo_symmetry():
    data = LearningData(np.array([-1.0, 0.5, 1.0]), np.array([0, 1, 0]))
    system = network_system(Mlp((1, 2, 2)), data, l2=0.01)
    x = np.asarray(jax.random.normal(jax.random.key(5), (system.space.dof,)))
    flipped = -x.copy()
    found = parameter_distances(system, np.stack([x, x, flipped]))
    assert found[0, 1] < 1e-8
    assert 0 < found[0, 2] <= np.linalg.norm(x - flipped)
    with pytest.raises(ArgumentError, match="coordinates"):
        parameter_distances(system, np.zeros((2, 3)))


def test_batches_need_a_mean_over_data(line):
    data = line.energy.data
    ranked = network_system(Mlp((2, 2)), data, criterion="auc", l2=0.01)
    with pytest.raises(ArgumentError, match="compares data"):
        BatchLoss.of(ranked.energy)
    with pytest.raises(ArgumentError, match="no loss of data"):
        BatchLoss.of(object())


def test_a_batch_of_all_data_has_the_loss_of_all(line, lowest):
    loss = BatchLoss.of(line.energy)
    x = jnp.asarray(lowest + 0.3)
    assert float(loss(x)) == pytest.approx(float(line.energy(x)), rel=1e-14)


@pytest.mark.parametrize(
    ("wishes", "match"),
    [
        ({"learning_rate": 100.0}, "unstable"),
        ({"learning_rate": -1.0}, "positive"),
        ({"batch": 0}, "batch"),
        ({"batch": 41, "replace": False}, "batch"),
        ({"replicas": 1}, "replicas"),
    ],
)
def test_sgd_refuses_what_has_no_stationary_state(line, lowest, wishes, match):
    with pytest.raises(ArgumentError, match=match):
        sgd_temperature(line.energy, lowest, **wishes)


def test_sgd_refuses_a_point_that_is_no_minimum(line, lowest):
    with pytest.raises(ArgumentError, match="no minimum"):
        sgd_temperature(line.energy, lowest + 0.1)
    with pytest.raises(ArgumentError, match="nothing holds"):
        stationary_covariance(np.diag([0.0, 1.0]), np.eye(2), 0.1)


@pytest.mark.statistical
def test_sgd_on_a_loss_comes_near_its_linear_theory(line, lowest):
    """Noise depends on x at second order only: at a small rate the excess is within a tenth."""
    found = sgd_temperature(
        line.energy, lowest, learning_rate=0.2, batch=8, replicas=128, steps=1024, key=2
    )
    assert found.measured_excess == pytest.approx(found.excess, rel=0.15)
    assert found.measured_temperature == pytest.approx(found.temperature, rel=0.15)
    # The penalty's own directions feel no noise of the data at all.
    assert found.spread > 0.5
    assert "no single temperature" in str(found)
    assert len(found.table()) == line.space.dof


def test_tables_from_files(tmp_path):
    inputs, targets = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1, 0])
    np.savez(tmp_path / "d.npz", inputs=inputs, targets=targets)
    (tmp_path / "d.csv").write_text("class,a,b\n1,1.0,2.0\n0,3,4\n")
    for name in ("d.npz", "d.csv"):
        found = read_data(tmp_path / name, classes=3)
        assert found.classes == 3
        assert np.asarray(found.targets).tolist() == [1, 0]
        assert np.asarray(found.inputs).tolist() == inputs.tolist()
    assert read_data(tmp_path / "d.csv").classes is None
    np.savez(tmp_path / "bad.npz", a=inputs)
    (tmp_path / "bad.csv").write_text("1,2,3\n1,x,2\n")
    (tmp_path / "thin.csv").write_text("1\n2\n")
    for name, match in (
        ("bad.npz", "expected inputs"),
        ("bad.csv", "no table"),
        ("thin.csv", "target and one input"),
        ("no.csv", "no file"),
    ):
        with pytest.raises(ArgumentError, match=match):
            read_data(tmp_path / name)


def test_other_names_have_no_held_out_data():
    assert held_out_data("lj13") is None
