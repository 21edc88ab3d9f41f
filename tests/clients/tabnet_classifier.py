"""pytorch-tabnet: TabNetClassifier and TabNetRegressor, as scikit-learn's estimators."""

import start
import torch
from pytorch_tabnet import tab_model

start.draw_by_numpy()
X = start.rng.standard_normal((256, 6)).astype("float32")
y = (X[:, 0] * X[:, 1] > 0).astype("int64")
losses = []


def begun(model):
    """The model, whose network begins with the same weights under each torch."""
    set_network = model._set_network

    def begin():
        set_network()
        start.begin(model.network)

    model._set_network = begin
    return model


options = {"n_d": 4, "n_a": 4, "n_steps": 2, "seed": 0, "verbose": 0, "device_name": "cpu"}
classifier = begun(tab_model.TabNetClassifier(**options))
classifier.fit(
    X, y, [(X[:64], y[:64])], max_epochs=5, batch_size=64, virtual_batch_size=32, drop_last=False
)
losses.extend(classifier.history["loss"])
losses.extend(classifier.predict_proba(X[:8])[:, 0])
losses.extend(classifier.feature_importances_)
target = X[:, :1] * X[:, 1:2]
regressor = begun(
    tab_model.TabNetRegressor(
        **options,
        mask_type="entmax",
        cat_idxs=[5],
        cat_dims=[3],
        cat_emb_dim=2,
        scheduler_fn=torch.optim.lr_scheduler.StepLR,
        scheduler_params={"step_size": 2, "gamma": 0.9},
    )
)
X[:, 5] = start.rng.integers(0, 3, 256)
regressor.fit(X, target, max_epochs=5, batch_size=64, virtual_batch_size=32, drop_last=False)
losses.extend(regressor.history["loss"])
losses.extend(regressor.predict(X[:8])[:, 0])
