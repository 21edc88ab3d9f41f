"""Models and optimizers that are changed between two calls."""

import copy

import pyml as torch
from pyml import nn, optim
from pyml.nn import functional as F
from record.loops.common import (
    CLASSES,
    batches,
    classification,
    classifier,
    final,
    inputs,
    labels,
    train,
    update,
)
from record.loops.harness import loop


class World:
    """What the changes below change."""

    def __init__(self):
        self.model = nn.Sequential(
            nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, CLASSES)
        )
        self.optimizer = optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.criterion = nn.CrossEntropyLoss()
        self.seen = []


CHANGES = {}  # name -> what is done before each call, with the World and the number of the call


def change(function):
    CHANGES[function.__name__] = function
    return function


@change
def toggle_training(w, i):
    w.model.train(i % 2 == 0)


@change
def freeze_layer_by_layer(w, i):
    if i in (6, 12):
        w.model[i // 6 - 1].requires_grad_(False)


@change
def thaw_layer_by_layer(w, i):
    if i == 0:
        w.model[0].requires_grad_(False)
        w.model[1].requires_grad_(False)
    if i in (8, 16):
        w.model[i // 8 - 1].requires_grad_(True)


@change
def toggle_requires_grad(w, i):
    w.model[0].weight.requires_grad = i % 3 != 0


@change
def change_the_rate(w, i):
    w.optimizer.param_groups[0]["lr"] = 0.1 / (i + 1)


@change
def change_the_momentum(w, i):
    if i == 8:
        w.optimizer.param_groups[0]["momentum"] = 0.5


@change
def change_decay_from_zero(w, i):
    if i == 8:
        w.optimizer.param_groups[0]["weight_decay"] = 0.1


@change
def turn_nesterov_on(w, i):
    if i == 8:
        w.optimizer.param_groups[0]["nesterov"] = True


@change
def replace_the_optimizer(w, i):
    if i == 8:
        w.optimizer = optim.Adam(w.model.parameters(), lr=0.02)


@change
def replace_the_optimizer_by_one_of_its_kind(w, i):
    if i % 8 == 7:
        w.optimizer = optim.SGD(w.model.parameters(), lr=0.02 * i, momentum=0.9)


@change
def add_a_param_group(w, i):
    if i == 0:
        w.optimizer = optim.SGD(w.model[4].parameters(), lr=0.1)
    if i == 8:
        w.optimizer.add_param_group({"params": w.model[0].parameters(), "lr": 0.01})


@change
def clear_the_state_of_the_optimizer(w, i):
    if i % 8 == 7:
        w.optimizer.state.clear()


@change
def load_the_optimizer(w, i):
    if i == 4:
        w.saved = copy.deepcopy(w.optimizer.state_dict())
    if i == 12:
        w.optimizer.load_state_dict(w.saved)


@change
def load_the_model(w, i):
    if i == 4:
        w.saved = {k: v.clone() for k, v in w.model.state_dict().items()}
    if i == 12:
        w.model.load_state_dict(w.saved)


@change
def assign_the_state_of_the_model(w, i):
    if i == 12:
        saved = {k: v.clone() for k, v in w.model.state_dict().items()}
        w.model.load_state_dict(saved, assign=True)
        w.optimizer = optim.SGD(w.model.parameters(), lr=0.1)


@change
def reset_parameters(w, i):
    if i == 8:
        nn.init.normal_(w.model[0].weight, std=0.5)


@change
def replace_data(w, i):
    if i % 8 == 7:
        w.model[0].weight.data = torch.randn(8, 4) * 0.3


@change
def replace_a_parameter(w, i):
    if i == 8:
        w.model[4].bias = nn.Parameter(torch.ones(CLASSES))


@change
def replace_a_layer(w, i):
    if i == 8:
        w.model[4] = nn.Linear(8, CLASSES)


@change
def replace_the_activation(w, i):
    if i == 8:
        w.model[2] = nn.Tanh()


@change
def replace_the_model(w, i):
    if i == 8:
        w.model = classifier()
        w.optimizer = optim.SGD(w.model.parameters(), lr=0.1)


@change
def append_a_layer(w, i):
    if i == 8:
        w.model.add_module("last", nn.Linear(CLASSES, CLASSES))


@change
def share_weights(w, i):
    if i == 8:
        w.model.add_module("again", nn.Linear(CLASSES, CLASSES))
        w.model.add_module("same", w.model.again)


@change
def change_dropout(w, i):
    if i in (6, 12, 18):
        w.model[3].p = i / 24


@change
def change_momentum_of_the_norm(w, i):
    if i == 8:
        w.model[1].momentum = 0.5


@change
def freeze_the_norm(w, i):
    if i == 8:
        w.model[1].eval()


@change
def replace_a_buffer(w, i):
    if i == 8:
        w.model[1].running_mean = torch.ones(8)
        w.model.eval()


@change
def replace_the_criterion(w, i):
    if i == 8:
        w.criterion = nn.CrossEntropyLoss(label_smoothing=0.2)


@change
def change_the_criterion(w, i):
    if i == 8:
        w.criterion.label_smoothing = 0.2


@change
def weigh_the_classes(w, i):
    if i in (8, 16):
        w.criterion.weight = torch.tensor([1.0, 0.5, i / 8])


@change
def replace_forward(w, i):
    if i == 8:
        layers = list(w.model)
        w.model.forward = lambda x: layers[4](layers[0](x))


@change
def add_a_forward_hook(w, i):
    if i == 8:
        w.handle = w.model[0].register_forward_hook(lambda module, args, output: output * 2)
    if i == 16:
        w.handle.remove()


@change
def add_a_hook_before(w, i):
    if i == 8:
        w.model.register_forward_pre_hook(lambda module, args: (args[0] * 0.5,))


@change
def add_a_backward_hook(w, i):
    if i == 8:
        w.model[4].register_full_backward_hook(lambda module, gi, go: tuple(g * 0.5 for g in gi))


@change
def add_a_hook_on_a_parameter(w, i):
    if i == 8:
        w.handle = w.model[0].weight.register_hook(lambda grad: grad * 0.1)
    if i == 16:
        w.handle.remove()


@change
def clear_gradients_outside(w, i):
    w.model.zero_grad(set_to_none=i % 2 == 0)


@change
def disable_gradients(w, i):
    if i == 8:
        w.model.requires_grad_(False)
        w.model[4].bias.requires_grad_(True)


@change
def seed_again(w, i):
    if i % 5 == 0:
        torch.manual_seed(i)


@change
def scale_weights_in_place(w, i):
    with torch.no_grad():
        w.model[0].weight.mul_(0.99)


@change
def scale_weights_by_numpy(w, i):
    w.model[0].weight.detach().numpy()[...] *= 0.99


@change
def convert_a_layer_to_double_and_back(w, i):
    if i == 8:
        w.model[0].double().float()


@loop(each=CHANGES)
def between_calls(record, change):
    w, X = World(), inputs()
    Y = labels(X)

    @record
    def step(x, y):
        w.optimizer.zero_grad()
        loss = w.criterion(w.model(x), y)
        loss.backward()
        w.optimizer.step()
        return loss

    for i, (x, y) in enumerate(batches(X, Y)):
        change(w, i)
        yield step(x, y)
    yield from final(w.model, w.optimizer)


# ---- a loop of its own for each ------------------------------------------------------------------


@loop
def layers_frozen_by_a_list_of_names(record):
    model, optimizer, X, Y = classification()
    frozen = []

    @record
    def step(x, y):
        for name, p in model.named_parameters():
            p.requires_grad_(name not in frozen)
        return update(optimizer, F.cross_entropy(model(x), y))

    for i, (x, y) in enumerate(batches(X, Y)):
        if i == 8:
            frozen.append("0.weight")
        yield step(x, y)
    yield from final(model)


@loop
def parameters_filtered_at_each_step(record):
    model, _, X, Y = classification()

    @record
    def step(x, y):
        model.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        with torch.no_grad():
            for p in filter(lambda p: p.requires_grad, model.parameters()):
                p -= 0.1 * p.grad
        return loss

    for i, (x, y) in enumerate(batches(X, Y)):
        if i == 12:
            model[0].requires_grad_(False)
        yield step(x, y)
    yield from final(model)


@loop
def model_that_grows(record):
    """Layers are stacked while it trains."""
    layers = nn.ModuleList([nn.Linear(4, 4)])
    head, X = nn.Linear(4, CLASSES), inputs()

    @record
    def step(x, y):
        for layer in layers:
            x = layer(x).relu()
        loss = F.cross_entropy(head(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    optimizer = optim.SGD([*layers.parameters(), *head.parameters()], lr=0.1)
    for i, (x, y) in enumerate(batches(X, labels(X))):
        if i % 8 == 7:
            layers.append(nn.Linear(4, 4))
            optimizer.add_param_group({"params": layers[-1].parameters()})
        yield step(x, y)
    yield from final(layers, head)


@loop
def module_replaced_in_a_dict(record):
    models = {"main": classifier(), "other": classifier()}
    optimizers = {k: optim.SGD(m.parameters(), lr=0.1) for k, m in models.items()}
    X, active = inputs(), "main"
    Y = labels(X)

    @record
    def step(x, y):
        return update(optimizers[active], F.cross_entropy(models[active](x), y))

    for i, (x, y) in enumerate(batches(X, Y)):
        active = "main" if i % 6 < 3 else "other"
        if i == 12:
            models["main"] = classifier()
            optimizers["main"] = optim.SGD(models["main"].parameters(), lr=0.2)
        yield step(x, y)
    yield from final(models["main"], models["other"])


@loop
def recorded_predict_whose_model_is_rebound(record):
    model, optimizer, X, Y = classification()
    best = copy.deepcopy(model)

    @record
    @torch.no_grad()
    def predict(x):
        return best(x).argmax(1)

    @record
    def step(x, y):
        agrees = (predict(x) == y).float().mean()
        return update(optimizer, F.cross_entropy(model(x), y)), agrees

    for i, (x, y) in enumerate(batches(X, Y)):
        if i % 8 == 7:
            best = copy.deepcopy(model)
        yield step(x, y), predict(x)


RECORDED_MODEL = None


@loop
def recorded_predict_whose_global_model_is_rebound(record):
    global RECORDED_MODEL
    RECORDED_MODEL, optimizer, X, Y = classification()

    @record
    def predict(x):
        with torch.no_grad():
            return RECORDED_MODEL(x)

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(RECORDED_MODEL(x), y) + 0 * predict(x).mean())

    for i, (x, y) in enumerate(batches(X, Y)):
        if i == 12:
            RECORDED_MODEL = classifier()
            optimizer = optim.SGD(RECORDED_MODEL.parameters(), lr=0.1)
        yield predict(x), step(x, y)


@loop
def cross_validation_with_one_step(record):
    """A new model for each fold, in the same variable."""
    X = inputs()
    Y = labels(X)
    model = optimizer = None

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(model(x), y))

    for fold in range(4):
        model = classifier()
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        yield from train(step, X[fold * 16 :], Y[fold * 16 :])
        yield from final(model)


@loop
def population_in_a_list(record):
    """One step for all members, which is given a member's number."""
    members = [classifier() for _ in range(3)]
    optimizers = [optim.SGD(m.parameters(), lr=0.1 * (i + 1)) for i, m in enumerate(members)]
    X = inputs()
    Y = labels(X)

    @record
    def step(k, x, y):
        return update(optimizers[k], F.cross_entropy(members[k](x), y))

    for i, (x, y) in enumerate(batches(X, Y)):
        yield [step(k, x, y) for k in range(3)]
        if i == 12:
            members[2].load_state_dict(members[0].state_dict())
            optimizers[2].param_groups[0]["lr"] = 0.05
    yield from final(*members)


@loop
def data_of_parameters_in_one_flat_vector(record):
    model, optimizer, X, Y = classification()

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(model(x), y))

    for i, (x, y) in enumerate(batches(X, Y)):
        if i % 8 == 7:
            flat = nn.utils.parameters_to_vector(model.parameters())
            nn.utils.vector_to_parameters(flat * 0.9, model.parameters())
        yield step(x, y)
    yield from final(model)


@loop
def threads_are_set_between_calls(record):
    model, optimizer, X, Y = classification()
    threads = torch.get_num_threads()

    @record
    def step(x, y):
        return update(optimizer, F.cross_entropy(model(x), y))

    try:
        for i, (x, y) in enumerate(batches(X, Y)):
            torch.set_num_threads(1 + i % 2)
            yield step(x, y)
    finally:
        torch.set_num_threads(threads)


@loop
def called_under_no_grad_at_times(record):
    model, _, X, Y = classification()

    @record
    def loss_of(x, y):
        loss = F.cross_entropy(model(x), y)
        if torch.is_grad_enabled():
            model.zero_grad()
            loss.backward()
        return loss

    for i, (x, y) in enumerate(batches(X, Y)):
        if i % 3 == 2:
            with torch.no_grad():
                yield loss_of(x, y)
        else:
            yield loss_of(x, y), [p.grad for p in model.parameters()]
