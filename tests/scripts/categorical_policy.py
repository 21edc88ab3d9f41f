"""Proximal policy optimisation on a bandit of states, with Categorical."""

import start
import torch
import torch.nn as nn
from torch.distributions import Categorical

STATES, EPS = 4, 0.2
actor = start.begin(nn.Sequential(nn.Linear(STATES, 32), nn.Tanh(), nn.Linear(32, STATES)))
optimizer = torch.optim.Adam(actor.parameters(), lr=5e-3, eps=1e-5)
eye = torch.eye(STATES)


@start.step
def update(states, actions, old, advantages):
    dist = Categorical(logits=actor(states))
    ratio = (dist.log_prob(actions) - old).exp()
    clipped = torch.clamp(ratio, 1 - EPS, 1 + EPS)
    loss = -torch.min(ratio * advantages, clipped * advantages).mean()
    loss = loss - 0.01 * dist.entropy().mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(actor.parameters(), 0.5)
    optimizer.step()
    return loss


losses, average = [], []
for rollout in range(20):
    place = start.randint(STATES, 64)
    states = eye[place]
    with torch.no_grad():
        dist = Categorical(logits=actor(states))
        actions = (dist.probs.cumsum(1) < start.rand(64, 1)).sum(1).clamp(max=STATES - 1)
        old = dist.log_prob(actions)
    rewards = (actions == place).float()
    average.append(rewards.mean().item())
    advantages = (rewards - rewards.mean()) / (rewards.std() + 1e-8)
    for _ in range(4):
        losses.append(update(states, actions, old, advantages).item())
assert sum(average[-5:]) > sum(average[:5])
