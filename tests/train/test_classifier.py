import copy

import numpy as np
import pytest

import pyml
from pyml import nn, optim
from pyml.train import evaluate, fit, mlp


def blobs(rng, rows, classes=3, features=5):
    """Rows around one point a class, and their classes."""
    centers = rng.normal(size=(classes, features)) * 4
    y = rng.integers(0, classes, rows)
    x = centers[y] + rng.normal(size=(rows, features))
    return pyml.from_numpy(x.astype("float32")), pyml.from_numpy(y)


def run(data, *, epochs=3, batch_size=16, **options):
    pyml.manual_seed(0)
    model = mlp(5, (16,), 3, dropout=0.1)
    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    history = fit(
        model,
        nn.CrossEntropyLoss(),
        optimizer,
        data,
        data,
        epochs=epochs,
        batch_size=batch_size,
        **options,
    )
    return model, optimizer, history


def test_mlp_has_the_layers_it_says():
    model = mlp(4, (8, 6), 3, dropout=0.25)
    names = [type(layer).__name__ for layer in model]
    assert names == ["Linear", "BatchNorm1d", "ReLU", "Dropout"] * 2 + ["Linear"]
    assert [tuple(p.shape) for name, p in model.named_parameters() if p.ndim == 2] == [
        (8, 4),
        (6, 8),
        (3, 6),
    ]
    assert model[3].p == 0.25


def test_fit_learns(rng):
    data = blobs(rng, 300)
    model, _, history = run(data, epochs=5)
    assert history[-1].train_loss < 0.5 * history[0].train_loss
    assert history[-1].validation_accuracy > 0.95
    loss, accuracy = evaluate(model, nn.CrossEntropyLoss(), *data)
    assert (loss, accuracy) == (history[-1].validation_loss, history[-1].validation_accuracy)
    assert history.column("epoch").tolist() == [1, 2, 3, 4, 5]
    assert (history.column("seconds") > 0).all()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_same_bits_for_any_thread_count(rng, threads):
    data = blobs(rng, 100)
    expected, _, history = run(data)
    pyml.set_num_threads(threads)
    model, _, again = run(data)
    for name, value in expected.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[name].numpy(), value.numpy(), err_msg=name)
    assert [epoch[:-1] for epoch in again] == [epoch[:-1] for epoch in history]


def test_the_schedule_steps_once_an_epoch(rng):
    pyml.manual_seed(0)
    model = mlp(5, (4,), 3)
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    data = blobs(rng, 40)
    history = fit(
        model,
        nn.CrossEntropyLoss(),
        optimizer,
        data,
        data,
        epochs=3,
        batch_size=10,
        scheduler=scheduler,
    )
    assert history.column("learning_rate").tolist() == [1.0, 0.5, 0.25]


@pytest.mark.parametrize(
    ("rows", "batch_size", "steps"),
    [(40, 10, 4), (39, 10, 4), (41, 10, 4), (2, 10, 1), (42, 10, 5)],
)
def test_a_last_batch_of_one_row_is_left_out(rng, rows, batch_size, steps):
    taken, seen = [], []
    run(
        blobs(rng, rows),
        epochs=2,
        batch_size=batch_size,
        on_step=lambda: taken.append(1),
        on_epoch=seen.append,
    )
    assert len(taken) == 2 * steps
    assert [epoch.epoch for epoch in seen] == [1, 2]


def test_validation_has_no_influence(rng):
    data = blobs(rng, 60)
    expected, _, _ = run(data)
    pyml.manual_seed(0)
    model = mlp(5, (16,), 3, dropout=0.1)
    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    other = blobs(rng, 7)
    fit(model, nn.CrossEntropyLoss(), optimizer, data, other, epochs=3, batch_size=16)
    for name, value in expected.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[name].numpy(), value.numpy(), err_msg=name)


def test_fit_stops_when_the_loss_is_not_finite(rng):
    x, y = blobs(rng, 40)
    x.numpy()[3, 2] = np.nan
    with pytest.raises(FloatingPointError, match=r"loss is nan in epoch 1 at learning rate 0\.01"):
        run((x, y))


def test_evaluate_restores_the_mode_and_changes_nothing(rng):
    data = blobs(rng, 50)
    for training in (True, False):
        model = mlp(5, (4,), 3, dropout=0.5).train(training)
        before = copy.deepcopy(model.state_dict())
        first = evaluate(model, nn.CrossEntropyLoss(), *data)
        assert evaluate(model, nn.CrossEntropyLoss(), *data) == first
        assert model.training is training
        for name, value in before.items():
            np.testing.assert_array_equal(model.state_dict()[name].numpy(), value.numpy())


def test_evaluate_over_many_batches(rng):
    x, y = blobs(rng, 2500)
    model = mlp(5, (4,), 3)
    loss, accuracy = evaluate(model, nn.CrossEntropyLoss(), x, y)
    model.eval()
    scores = model(x)
    assert loss == pytest.approx(nn.CrossEntropyLoss()(scores, y).item(), rel=1e-5)
    assert accuracy == (scores.detach().numpy().argmax(1) == y.numpy()).mean()


@pytest.mark.parametrize(
    "option, value, error, match",
    [
        ("epochs", -1, ValueError, "epochs is -1, it must be at least 0"),
        ("epochs", 1.5, TypeError, "epochs is 1.5, it must be an integer"),
        ("epochs", float("nan"), TypeError, "epochs is nan"),
        ("epochs", "3", TypeError, "epochs is '3'"),
        ("batch_size", 0, ValueError, "batch_size is 0, it must be at least 2"),
        ("batch_size", 1, ValueError, "batch_size is 1"),
        ("batch_size", -(10**30), ValueError, "batch_size is -1000"),
    ],
)
def test_counts_that_cannot_be(rng, option, value, error, match):
    with pytest.raises(error, match=match):
        run(blobs(rng, 40), **{option: value})


def test_rows_that_cannot_be(rng):
    model, loss = mlp(5, (4,), 3), nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters())
    x, y = blobs(rng, 8)
    for train, validation, match in [
        ((x, y[:7]), (x, y), "train has 8 rows, but 7 labels"),
        ((x[:1], y[:1]), (x, y), "train has 1 rows, it must have at least 2"),
        ((x, y), (x[:0], y[:0]), "validation has 0 rows"),
    ]:
        with pytest.raises(ValueError, match=match):
            fit(model, loss, optimizer, train, validation, epochs=1, batch_size=4)


def test_epochs_and_batches_may_be_endless(rng):
    class Enough(Exception):
        pass

    def on_epoch(epoch):
        if epoch.epoch == 3:
            raise Enough

    with pytest.raises(Enough):
        run(blobs(rng, 40), epochs=10**30, batch_size=10**30, on_epoch=on_epoch)


def test_evaluate_of_no_rows_and_of_a_model_that_raises(rng):
    x, y = blobs(rng, 8)
    model, loss = mlp(4, (4,), 3), nn.CrossEntropyLoss()
    with pytest.raises(ValueError, match="evaluate: data has 0 rows"):
        evaluate(model, loss, x[:0], y[:0])
    with pytest.raises(ValueError, match="in_features is 4"):
        evaluate(model, loss, x, y)
    assert model.training
