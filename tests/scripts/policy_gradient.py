"""REINFORCE on a bandit with four states: the right arm is that of the state."""

import start
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

STATES = 4
policy = start.begin(nn.Sequential(nn.Linear(STATES, 16), nn.ReLU(), nn.Linear(16, STATES)))
optimizer = optim.Adam(policy.parameters(), lr=2e-2)
eye = torch.eye(STATES)


@start.step
def finish_episode(states, actions, rewards):
    returns = (rewards - rewards.mean()) / (rewards.std() + 1e-6)
    log_probs = F.log_softmax(policy(states), dim=-1)
    chosen = log_probs.gather(1, actions[:, None]).squeeze(1)
    loss = -(chosen * returns).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


losses, average = [], []
for episode in range(60):
    place = start.randint(STATES, 64)
    states = eye[place]
    with torch.no_grad():
        probs = F.softmax(policy(states), dim=-1)
    actions = (probs.cumsum(1) < start.rand(64, 1)).sum(1).clamp(max=STATES - 1)
    rewards = (actions == place).float()
    average.append(rewards.mean().item())
    losses.append(finish_episode(states, actions, rewards).item())
assert sum(average[-10:]) > sum(average[:10])
