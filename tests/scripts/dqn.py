"""Deep Q-learning with a replay memory and a target network, on a walk of eight places."""

import random
from collections import deque, namedtuple

import start
import torch
import torch.nn as nn
import torch.nn.functional as F

PLACES, GAMMA, BATCH, TAU = 8, 0.9, 32, 0.05
Transition = namedtuple("Transition", "state action reward next_state done")
chance = random.Random(0)


class DQN(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Linear(PLACES, 32)
        self.layer2 = nn.Linear(32, 2)

    def forward(self, x):
        return self.layer2(F.relu(self.layer1(x)))


policy_net, target_net = start.begin(DQN()), DQN()
target_net.load_state_dict(policy_net.state_dict())
optimizer = torch.optim.AdamW(policy_net.parameters(), lr=1e-2, amsgrad=True)
memory = deque(maxlen=500)
eye = torch.eye(PLACES)


@start.step
def optimize(state, action, reward, next_state, done):
    q = policy_net(state).gather(1, action)
    with torch.no_grad():
        next_q = target_net(next_state).max(1).values
    expected = reward + GAMMA * next_q * (1 - done)
    loss = F.smooth_l1_loss(q, expected.unsqueeze(1))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_value_(policy_net.parameters(), 100)
    optimizer.step()
    with torch.no_grad():
        for target, source in zip(target_net.parameters(), policy_net.parameters()):
            target.mul_(1 - TAU).add_(source, alpha=TAU)
    return loss


losses, place = [], 0
for t in range(100):
    action = chance.randrange(2)
    new = min(max(place + (1 if action else -1), 0), PLACES - 1)
    done = new == PLACES - 1
    memory.append(Transition(eye[place], action, float(done), eye[new], float(done)))
    place = 0 if done else new
    if len(memory) >= BATCH:
        batch = Transition(*zip(*chance.sample(memory, BATCH)))
        args = (
            torch.stack(batch.state),
            torch.tensor(batch.action).view(-1, 1),
            torch.tensor(batch.reward),
            torch.stack(batch.next_state),
            torch.tensor(batch.done),
        )
        losses.append(optimize(*args).item())
