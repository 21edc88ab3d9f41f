"""A model of names by their characters: embeddings of the last three, and an MLP."""

import start
import torch
import torch.nn as nn
import torch.nn.functional as F

words = (
    "emma olivia ava isabella sophia charlotte mia amelia harper evelyn abigail emily ella".split()
)
chars = sorted(set("".join(words)))
stoi = {s: i + 1 for i, s in enumerate(chars)}
stoi["."] = 0
block_size = 3

X, Y = [], []
for w in words:
    context = [0] * block_size
    for ch in w + ".":
        ix = stoi[ch]
        X.append(context)
        Y.append(ix)
        context = context[1:] + [ix]
X, Y = torch.tensor(X), torch.tensor(Y)


class MLP(nn.Module):
    def __init__(self, vocab, n_embd=6, n_embd2=32):
        super().__init__()
        self.wte = nn.Embedding(vocab, n_embd)
        self.mlp = nn.Sequential(
            nn.Linear(block_size * n_embd, n_embd2), nn.Tanh(), nn.Linear(n_embd2, vocab)
        )

    def forward(self, idx, targets=None):
        logits = self.mlp(self.wte(idx).view(idx.shape[0], -1))
        loss = None
        if targets is not None:
            loss = F.cross_entropy(
                logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1
            )
        return logits, loss


model = start.begin(MLP(len(stoi)))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.01, betas=(0.9, 0.99))


@start.step
def train(x, y):
    logits, loss = model(x, y)
    model.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss


losses = []
for i in range(50):
    ix = start.randint(X.shape[0], 32)
    losses.append(train(X[ix], Y[ix]).item())
