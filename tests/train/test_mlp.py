from pyml.train import mlp


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
