"""What type checkers find: mypy --strict and pyright read this file, nothing runs it: `make types`.

A line that must be an error ends in `# type: ignore[...]`; mypy warns of one that is none.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import assert_type

import pyml
from pyml import Tensor, data, distributions, estimators, export, nn, optim, tabular, train
from pyml.nn import functional as F
from pyml.optim import lr_scheduler
from pyml.utils.data import DataLoader, Dataset, Subset, TensorDataset, random_split

# ---- tensors -------------------------------------------------------------------------------------

x = pyml.randn(4, 3)
assert_type(x, Tensor)
assert_type(x + 1, Tensor)
assert_type(1 - x, Tensor)
assert_type(x * np.ones(3), Tensor)
assert_type(x @ x.T, Tensor)
assert_type(-x, Tensor)
assert_type(x == 1, Tensor)
assert_type(x < x, Tensor)
assert_type(x[0, ..., None, 1:], Tensor)
assert_type(x[x > 0], Tensor)
assert_type(x.shape, pyml.Size)
assert_type(x.shape[0], int)
assert_type(x.shape[:1], pyml.Size)
assert_type(x.size(), pyml.Size)
assert_type(x.size(0), int)
assert_type(x.dtype, pyml.dtype)
assert_type(x.item(), float)
assert_type(x.relu_(), Tensor)
assert_type(x.sum(dim=(0, 1), keepdim=True), Tensor)
assert_type(x.max(), Tensor)
assert_type(x.max(1).indices, Tensor)
assert_type(pyml.max(x, x), Tensor)
assert_type(x.float().long().to(pyml.float64), Tensor)
assert_type(x.type(), str)
assert_type(pyml.where(x > 0, x, 0.0), Tensor)
assert_type(pyml.where(x > 0), tuple[Tensor, ...])
assert_type(pyml.cat([x, x], dim=1), Tensor)
assert_type(x.split(2), tuple[Tensor, ...])
assert_type(pyml.linalg.svd(x).S, Tensor)
assert_type(pyml.special.digamma(x), Tensor)
assert_type(len(x), int)
values, places = x.sort(descending=True)
assert_type(values, Tensor)
for row in x:
    assert_type(row, Tensor)
x[0] = 1
x += 1
assert_type(x, Tensor)

assert_type(x.scatter_reduce(0, x.long(), x, "amax"), Tensor)
assert_type(x.scatter(1, x.long(), 1.0, reduce="add"), Tensor)
assert_type(x.index_add_(0, x.long(), x), Tensor)
assert_type(x.select(1, 0), Tensor)
assert_type(x.softmax(1, dtype="float64"), Tensor)
assert_type(pyml.addmm(x, x, x, beta=0.5), Tensor)
assert_type(pyml.einsum("ij,kj->ik", x, x), Tensor)
assert_type(pyml.einsum("ij,kj->ik", [x, x]), Tensor)
assert_type(pyml.einsum(x, [0, ...], x, [1, ...], [0, 1]), Tensor)
assert_type(x.sort(out=(x, x.long())).values, Tensor)
assert_type(pyml.show_config("dicts")["threads"], Any)
assert_type(pyml.default_generator.get_state(), NDArray[Any])

pyml.zeros("a")  # type: ignore[arg-type]
x.scatter_reduce(0, x.long(), x, True)  # type: ignore[arg-type]
x.index_copy(0, x.long(), "x")  # type: ignore[arg-type]
x.select(1, x)  # type: ignore[arg-type]
x.cumsum((0, 1))  # type: ignore[arg-type]
pyml.einsum(1, x)  # type: ignore[arg-type]
pyml.set_anomaly_enabled("on")  # type: ignore[arg-type]
pyml.cat(x, "dim")  # type: ignore[arg-type]
x + "a"  # type: ignore[operator]
x @ 1  # type: ignore[operator]
x[0] = "b"  # type: ignore[assignment]
x.sum(dim="a")  # type: ignore[arg-type]
x.shape = (1, 2)  # type: ignore[assignment, misc]
x.relux()  # type: ignore[attr-defined]
F.cross_entropy(x, [1, 2])  # type: ignore[arg-type]
F.relu(x, inplace="no")  # type: ignore[arg-type]

# ---- modules -------------------------------------------------------------------------------------

linear = nn.Linear(3, 2)
assert_type(linear(x), Tensor)
assert_type(linear.weight, nn.Parameter)
assert_type(linear.in_features, int)
assert_type(nn.LayerNorm(3).weight, nn.Parameter)
assert_type(nn.BatchNorm2d(3, momentum=None).running_mean, Tensor | None)
assert_type(nn.GELU("tanh").approximate, str)
assert_type(linear.weight.double(), Tensor)
model = nn.Sequential(linear, nn.ReLU(), nn.Dropout(0.1))
assert_type(model(x), Tensor)
assert_type(model[1:], nn.Sequential)
assert_type(model.train(), nn.Sequential)
assert_type(model.double(), nn.Sequential)
assert_type(nn.CrossEntropyLoss()(x, x), Tensor)
assert_type(nn.Identity()(3), int)
assert_type(nn.utils.clip_grad_norm_(model.parameters(), 1.0), Tensor)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.layer(x))


for name, parameter in Net().named_parameters():
    assert_type(name, str)
    assert_type(parameter, nn.Parameter)

nn.Linear("a", 2)  # type: ignore[arg-type]
nn.Linear(3)  # type: ignore[call-arg]
nn.Linear(3, 2, biass=True)  # type: ignore[call-arg]
nn.Sequential(3)  # type: ignore[arg-type]
nn.BatchNorm1d(2)("a")  # type: ignore[arg-type]
linear(x, x)  # type: ignore[call-arg]
nn.Parameter([1.0])  # type: ignore[arg-type]
model.load_state_dict(3)  # type: ignore[arg-type]

# ---- optimizers ----------------------------------------------------------------------------------

optimizer = optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.99))
assert_type(optimizer.step(), None)
optim.SGD([x], lr=0.1, weight_decay=1e-4, dampening=0.5)
optim.Muon([x], adjust_lr_fn="original")
assert_type(optimizer.step(lambda: 1.0), float)
optim.SGD([{"params": [linear.weight], "lr": 0.1}], lr=0.1)
scheduler = lr_scheduler.SequentialLR(
    optimizer,
    [lr_scheduler.LinearLR(optimizer), lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.9**epoch)],
    milestones=[3],
)
assert_type(scheduler.get_last_lr(), list[float])
scheduler.step()

optim.Adam(Net())  # type: ignore[arg-type]
optim.Adam(model.parameters(), lr="fast")  # type: ignore[arg-type]
lr_scheduler.StepLR(model, 3)  # type: ignore[arg-type]

# ---- modes, records ------------------------------------------------------------------------------


@pyml.no_grad()
def evaluate(x: Tensor) -> float:
    return x.mean().item()


assert_type(evaluate(x), float)


@pyml.record
def train_step(x: Tensor, y: Tensor) -> Tensor:
    return F.mse_loss(model(x), y)


assert_type(train_step(x, x), Tensor)
train_step(x)  # type: ignore[call-arg]
with pyml.autocast():
    pass
with pyml.set_grad_enabled(False), pyml.enable_grad():
    pass

# ---- data ----------------------------------------------------------------------------------------


class Squares(Dataset[int]):
    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> int:
        return index**2


assert_type((Squares() + Squares())[0], int)
assert_type(random_split(Squares(), [2, 1]), list[Subset[int]])
assert_type(TensorDataset(x, x)[0], tuple[Tensor, ...])
loader = DataLoader(TensorDataset(x, x), batch_size=2, shuffle=True)
for a, b in loader:
    model(a).sub(b)
assert_type(iter(data.RandomSampler(Squares())), Iterator[int])
DataLoader([1, 2])
assert_type(random_split(range(3), [2, 1]), list[Subset[int]])
DataLoader(TensorDataset(x), batch_size="all")  # type: ignore[arg-type]
TensorDataset([1, 2])  # type: ignore[arg-type]
DataLoader(3)  # type: ignore[arg-type]

# ---- distributions, training, tables, estimators, export -----------------------------------------

normal = distributions.Normal(0.0, x.exp())
assert_type(normal.rsample((2,)), Tensor)
assert_type(normal.log_prob(x), Tensor)
assert_type(normal.loc, Tensor)
assert_type(normal.expand([2, 4, 3]), distributions.Normal)
assert_type(distributions.kl_divergence(normal, normal), Tensor)
distributions.Normal("a", 1)  # type: ignore[arg-type]

trainer = train.Trainer(model, nn.MSELoss(), optimizer, metrics=["mae"])
history = trainer.fit(x, x, epochs=2, batch_size=2, validation=0.5)
assert_type(history, train.History)
assert_type(history.to_csv(), str)
assert_type(trainer.predict(x), NDArray[np.generic])  # type: ignore[assert-type]
trainer.fit(x, x, epochs="all")  # type: ignore[arg-type]

fitted = tabular.fit("houses.csv", "price", epochs=3)
assert_type(fitted, tabular.Fitted)
assert_type(fitted.schema["area"], tabular.Column)
tabular.fit("houses.csv", "price", epochs="many")  # type: ignore[arg-type]

classifier = estimators.MLPClassifier(hidden_layer_sizes=(8,), max_iter=3)
assert_type(classifier.fit([[1.0], [2.0]], [0, 1]), estimators.MLPClassifier)
assert_type(classifier.score([[1.0]], [0]), float)
estimators.MLPClassifier(max_iter="a")  # type: ignore[arg-type]

export.c(model, "model.h", inputs=x)
export.c(model)  # type: ignore[call-arg]
pyml.save(model.state_dict(), "model.safetensors")
assert_type(pyml.func.grad(lambda x: x.sum())(x), object)  # type: ignore[assert-type]
