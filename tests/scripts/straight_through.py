"""A network with binary activations: an autograd.Function passes the gradient straight through."""

import start
import torch
import torch.nn as nn
import torch.nn.functional as F


class Binarize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return (input > 0).to(input.dtype) * 2 - 1

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output * (input.abs() <= 1).to(grad_output.dtype)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 48)
        self.fc2 = nn.Linear(48, 3)

    def forward(self, x):
        return self.fc2(Binarize.apply(self.fc1(x)))


x = start.randn(192, 6)
y = (x @ start.randn(6, 3)).argmax(1)
model = start.begin(Net())
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)


@start.step
def train(x, y):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


losses = [train(x, y).item() for _ in range(50)]
