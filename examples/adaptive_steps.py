"""AdaGrad's steps shrink, RMSprop's do not, and Adam's first ones need their bias corrected."""

from itertools import pairwise

from shown import STYLES, panels, show

import pyml
from pyml import optim


def steps_of(make, gradients):
    """How far each step goes."""
    at = pyml.zeros(1, dtype=pyml.float64, requires_grad=True)
    optimizer, places = make([at]), [0.0]
    for gradient in gradients:
        at.grad = pyml.tensor([gradient], dtype=pyml.float64)
        optimizer.step()
        places.append(at.item())
    return [abs(b - a) for a, b in pairwise(places)]


def without_correction(gradients, lr=0.1, beta1=0.9, beta2=0.999):
    """Adam's steps, if the moments that begin at 0 are taken as they are."""
    m = v = 0.0
    for gradient in gradients:
        m, v = beta1 * m + (1 - beta1) * gradient, beta2 * v + (1 - beta2) * gradient**2
        yield lr * m / (v**0.5 + 1e-8)


def main(small=False):
    count = 200
    gradients = [1.0] * count
    sizes = {
        "SGD": steps_of(lambda p: optim.SGD(p, lr=0.1), gradients),
        "AdaGrad": steps_of(lambda p: optim.Adagrad(p, lr=0.1), gradients),
        "RMSprop": steps_of(lambda p: optim.RMSprop(p, lr=0.1), gradients),
        "Adam": steps_of(lambda p: optim.Adam(p, lr=0.1), gradients),
        "Adam, not corrected": list(without_correction(gradients)),
    }
    figure, panel = panels(width=6)
    for (name, values), style in zip(sizes.items(), STYLES, strict=False):
        panel.loglog(range(1, count + 1), values, label=name, **style)
    panel.set(xlabel="step", ylabel="size of the step (gradient 1, rate 0.1)", ylim=(2e-4, 2))
    panel.legend()
    return {
        "AdaGrad: step 100 / step 1": sizes["AdaGrad"][99] / sizes["AdaGrad"][0],
        "RMSprop: step 200 / step 100": sizes["RMSprop"][199] / sizes["RMSprop"][99],
        "Adam: step 1": sizes["Adam"][0],
        "Adam, not corrected: step 1": sizes["Adam, not corrected"][0],
        "Adam, not corrected: its largest step": max(sizes["Adam, not corrected"]),
    }, figure


if __name__ == "__main__":
    show(main)
