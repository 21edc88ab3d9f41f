"""An actor and a critic that share a layer, with entropy and advantages, on a walk."""

import start
import torch
import torch.nn as nn
import torch.nn.functional as F

PLACES, GAMMA, LENGTH = 6, 0.95, 16


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(PLACES, 32)
        self.action_head = nn.Linear(32, 2)
        self.value_head = nn.Linear(32, 1)

    def forward(self, x):
        x = F.relu(self.affine1(x))
        return self.action_head(x), self.value_head(x)


model = start.begin(Policy())
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
eye = torch.eye(PLACES)


@start.step
def learn(states, actions, returns):
    logits, values = model(states)
    log_prob = F.log_softmax(logits, dim=1)
    values = values.squeeze(-1)
    advantage = returns - values.detach()
    chosen = log_prob.gather(1, actions.unsqueeze(1)).squeeze(1)
    entropy = -(log_prob.exp() * log_prob).sum(dim=1).mean()
    loss = -(chosen * advantage).mean() + F.smooth_l1_loss(values, returns) - 0.01 * entropy
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    optimizer.step()
    return loss


losses = []
for episode in range(25):
    place, states, actions, rewards = 0, [], [], []
    chances = start.rand(LENGTH).tolist()
    for chance in chances:
        with torch.no_grad():
            right = F.softmax(model(eye[place : place + 1])[0], dim=1)[0, 1].item()
        action = int(chance < right)
        states.append(eye[place])
        actions.append(action)
        place = min(max(place + 2 * action - 1, 0), PLACES - 1)
        rewards.append(float(place == PLACES - 1))
    R, returns = 0.0, []
    for r in rewards[::-1]:
        R = r + GAMMA * R
        returns.insert(0, R)
    losses.append(learn(torch.stack(states), torch.tensor(actions), torch.tensor(returns)).item())
