"""Skip-grams with negative samples, of words that stand in groups."""

import start
import torch
import torch.nn as nn
import torch.nn.functional as F

WORDS, GROUPS, DIM, NEGATIVES = 20, 4, 8, 5


class SkipGram(nn.Module):
    def __init__(self):
        super().__init__()
        self.center = nn.Parameter(torch.empty(WORDS, DIM))
        self.context = nn.Parameter(torch.empty(WORDS, DIM))

    def forward(self, center, context, negatives):
        v = self.center[center]
        positive = (v * self.context[context]).sum(1)
        negative = torch.bmm(self.context[negatives], v.unsqueeze(2)).squeeze(2)
        return (F.softplus(-positive) + F.softplus(negative).sum(1)).mean()


with torch.no_grad():
    model = SkipGram()
    for p in model.parameters():
        p.copy_(0.1 * start.randn(*p.shape))
optimizer = torch.optim.Adagrad(model.parameters(), lr=0.3)


@start.step
def train(center, context, negatives):
    optimizer.zero_grad()
    loss = model(center, context, negatives)
    loss.backward()
    optimizer.step()
    return loss


losses = []
for i in range(40):
    center = start.randint(WORDS, 64)
    context = (center + GROUPS * start.randint(WORDS // GROUPS, 64)) % WORDS
    losses.append(train(center, context, start.randint(WORDS, 64, NEGATIVES)).item())
