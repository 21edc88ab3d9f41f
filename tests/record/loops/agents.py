"""Reinforcement learning: the ways in which agents learn, on made-up transitions."""

import random
from collections import deque, namedtuple

import numpy as np

import pyml as torch
from pyml import nn, optim
from pyml.nn import functional as F
from record.loops.averages import copies
from record.loops.common import batches, final, inputs, train, update
from record.loops.harness import loop

ACTIONS = 3


def q_network():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, ACTIONS))


def transitions(calls=24):
    """(state, action, reward, next state, whether it is the last one)."""
    states, after = inputs(calls), inputs(calls)
    n = len(states)
    return states, torch.randint(0, ACTIONS, (n,)), torch.randn(n), after, torch.rand(n).round()


Batch = namedtuple("Batch", "state action reward after done")


def td_loss(q, target, b, gamma=0.9):
    chosen = q(b.state).gather(1, b.action.unsqueeze(1)).squeeze(1)
    with torch.no_grad():
        best = target(b.after).max(1)[0]
    return F.mse_loss(chosen, b.reward + gamma * (1 - b.done) * best)


@loop
def dqn_with_a_named_tuple(record):
    q = q_network()
    target, data = copies(q), transitions()
    optimizer = optim.Adam(q.parameters(), lr=0.01)

    @record
    def learn(batch):
        return update(optimizer, td_loss(q, target, batch))

    for i, batch in enumerate(batches(*data)):
        yield learn(Batch(*batch))
        if i % 5 == 4:
            target.load_state_dict(q.state_dict())
    yield from final(q, target)


@loop
def dqn_agent_that_counts(record):
    class Agent:
        def __init__(self):
            self.q = q_network()
            self.target = copies(self.q)
            self.optimizer = optim.RMSprop(self.q.parameters(), lr=0.005)
            self.steps, self.epsilon = 0, 1.0

        @record
        def learn(self, *batch):
            loss = update(self.optimizer, td_loss(self.q, self.target, Batch(*batch)))
            self.steps += 1
            self.epsilon = max(0.1, self.epsilon * 0.95)
            if self.steps % 6 == 0:
                self.target.load_state_dict(self.q.state_dict())
            return loss

    agent = Agent()
    for batch in batches(*transitions()):
        yield agent.learn(*batch), agent.steps, agent.epsilon
    yield from final(agent.q, agent.target)


@loop
def double_dqn_with_a_huber_loss(record):
    q = q_network()
    target, data = copies(q), transitions()
    optimizer = optim.AdamW(q.parameters(), lr=0.01)

    @record
    def learn(s, a, r, after, done):
        chosen = q(s).gather(1, a.reshape(-1, 1))[:, 0]
        with torch.no_grad():
            action = q(after).argmax(dim=1, keepdim=True)
            goal = r + 0.9 * (1 - done) * target(after).gather(1, action).squeeze(1)
        error = (chosen - goal).abs()
        loss = torch.where(error < 1, 0.5 * error * error, error - 0.5).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(q.parameters(), 1.0)
        optimizer.step()
        for t, p in zip(target.parameters(), q.parameters(), strict=True):
            t.data.lerp_(p.data, 0.01)
        return loss, error.detach()

    yield from train(learn, *data)
    yield from final(q, target)


@loop
def dueling_network(record):
    class Dueling(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Linear(4, 8)
            self.value, self.advantage = nn.Linear(8, 1), nn.Linear(8, ACTIONS)

        def forward(self, x):
            h = F.relu(self.body(x))
            a = self.advantage(h)
            return self.value(h) + a - a.mean(dim=1, keepdim=True)

    q = Dueling()
    target, optimizer = copies(q), optim.Adam(q.parameters(), lr=0.01)

    @record
    def learn(s, a, r, after, done):
        return update(optimizer, td_loss(q, target, Batch(s, a, r, after, done)))

    yield from train(learn, *transitions())
    yield from final(q)


@loop
def replay_buffer_of_tensors_outside(record):
    """Batches are drawn by index, outside of the step."""
    q = q_network()
    target, optimizer = copies(q), optim.Adam(q.parameters(), lr=0.01)
    S, A, R, N, D = transitions()

    @record
    def learn(s, a, r, after, done):
        return update(optimizer, td_loss(q, target, Batch(s, a, r, after, done)))

    for _ in range(24):
        rows = torch.randint(0, len(S), (8,))
        yield learn(S[rows], A[rows], R[rows], N[rows], D[rows])


@loop(expect="either")
def replay_buffer_sampled_inside(record):
    """Indices from pyml's generator, drawn in the step."""
    q = q_network()
    target, optimizer = copies(q), optim.Adam(q.parameters(), lr=0.01)
    memory = transitions()

    @record
    def learn():
        rows = torch.randint(0, 192, (8,))
        return update(optimizer, td_loss(q, target, Batch(*[t[rows] for t in memory])))

    for _ in range(24):
        yield learn()
    yield from final(q)


@loop(expect="refused")
def replay_buffer_sampled_by_python_inside(record):
    q = q_network()
    target, optimizer = copies(q), optim.Adam(q.parameters(), lr=0.01)
    memory = list(zip(*transitions(), strict=True))

    @record
    def learn():
        rows = random.sample(memory, 8)
        batch = Batch(*[torch.stack(column) for column in zip(*rows, strict=True)])
        return update(optimizer, td_loss(q, target, batch))

    for _ in range(24):
        yield learn()


@loop(expect="refused")
def replay_buffer_sampled_by_numpy_inside(record):
    q = q_network()
    target, optimizer = copies(q), optim.Adam(q.parameters(), lr=0.01)
    memory, rng = transitions(), np.random.default_rng(0)

    @record
    def learn():
        rows = torch.from_numpy(rng.integers(0, 192, 8))
        return update(optimizer, td_loss(q, target, Batch(*[t[rows] for t in memory])))

    for _ in range(24):
        yield learn()


@loop
def replay_deque_filled_outside(record):
    q = q_network()
    target, optimizer = copies(q), optim.Adam(q.parameters(), lr=0.01)
    memory = deque(maxlen=30)

    @record
    def learn(batch):
        return update(optimizer, td_loss(q, target, batch))

    for row in zip(*transitions(8), strict=True):
        memory.append(row)
        if len(memory) >= 8:
            rows = random.sample(list(memory), 8)
            yield learn(Batch(*[torch.stack(column) for column in zip(*rows, strict=True)]))
    yield from final(q)


@loop(expect="same")
def replay_buffer_written_inside_by_a_counter(record):
    """`buffer[i % n] = x`, with a counter in Python: a variant for each index."""

    class Memory:
        def __init__(self, n):
            self.rows, self.n, self.i = torch.zeros(n, 4), n, 0

        def push(self, x):
            self.rows[self.i % self.n] = x
            self.i += 1

    model, memory, X = nn.Linear(4, 1), Memory(6), inputs()
    optimizer = optim.SGD(model.parameters(), lr=0.05)

    @record
    def learn(x):
        memory.push(x[0])
        return update(optimizer, (model(memory.rows) - 1).square().mean())

    yield from train(learn, X)
    yield memory.i, memory.rows


@loop
def epsilon_greedy_outside(record):
    q = q_network()
    optimizer = optim.Adam(q.parameters(), lr=0.01)

    @record
    @torch.no_grad()
    def act(s):
        return q(s).argmax(1)

    @record
    def learn(s, a, r):
        return update(optimizer, F.mse_loss(q(s).gather(1, a.unsqueeze(1)), r.unsqueeze(1)))

    for s, _, r, _, _ in batches(*transitions()):
        a = act(s)
        if random.random() < 0.3:
            a = torch.randint(0, ACTIONS, (len(s),))
        yield a, learn(s, a, r)
    yield from final(q)


@loop(expect="refused")
def epsilon_greedy_inside(record):
    q = q_network()
    S = inputs()

    @record
    def act(s):
        if random.random() < 0.3:
            return torch.randint(0, ACTIONS, (len(s),))
        return q(s).argmax(1)

    yield from train(act, S)


@loop(expect="either")
def epsilon_greedy_by_where(record):
    q, S = q_network(), inputs()

    @record
    @torch.no_grad()
    def act(s, epsilon):
        explore = torch.rand(len(s)) < epsilon
        return torch.where(explore, torch.randint(0, ACTIONS, (len(s),)), q(s).argmax(1))

    for i, (s,) in enumerate(batches(S)):
        yield act(s, torch.tensor(0.9**i))


@loop
def reinforce_with_a_baseline(record):
    policy = q_network()
    optimizer = optim.Adam(policy.parameters(), lr=0.01)
    baseline = torch.zeros(())

    @record
    def learn(s, a, reward):
        logs = F.log_softmax(policy(s), dim=1).gather(1, a.unsqueeze(1)).squeeze(1)
        loss = -((reward - baseline) * logs).mean()
        update(optimizer, loss)
        baseline.mul_(0.9).add_(0.1 * reward.mean())
        return loss

    S, A, R, _, _ = transitions()
    yield from train(learn, S, A, R)
    yield baseline
    yield from final(policy)


@loop
def reinforce_with_a_baseline_that_is_rebound(record):
    class Agent:
        def __init__(self):
            self.policy = q_network()
            self.optimizer = optim.Adam(self.policy.parameters(), lr=0.01)
            self.baseline = torch.zeros(())

        @record
        def learn(self, s, a, reward):
            logs = F.log_softmax(self.policy(s), dim=1).gather(1, a.unsqueeze(1)).squeeze(1)
            loss = -((reward - self.baseline) * logs).mean()
            update(self.optimizer, loss)
            self.baseline = 0.9 * self.baseline + 0.1 * reward.mean()
            return loss

    agent = Agent()
    S, A, R, _, _ = transitions()
    for batch in batches(S, A, R):
        yield agent.learn(*batch), agent.baseline
    yield from final(agent.policy)


@loop(expect="refused")
def reinforce_with_a_baseline_in_python(record):
    policy = q_network()
    optimizer = optim.Adam(policy.parameters(), lr=0.01)
    baseline = 0.0

    @record
    def learn(s, a, reward):
        nonlocal baseline
        logs = F.log_softmax(policy(s), dim=1).gather(1, a.unsqueeze(1)).squeeze(1)
        loss = update(optimizer, -((reward - baseline) * logs).mean())
        baseline = 0.9 * baseline + 0.1 * reward.mean().item()
        return loss

    S, A, R, _, _ = transitions()
    yield from train(learn, S, A, R)
    yield baseline


@loop
def returns_discounted_by_a_loop(record):
    """G = r + gamma * G, backwards over the steps of an episode of fixed length."""
    policy = q_network()
    optimizer = optim.SGD(policy.parameters(), lr=0.05)

    @record
    def learn(s, a, reward):
        G, returns = torch.zeros(()), []
        for r in reversed(list(reward)):
            G = r + 0.9 * G
            returns.insert(0, G)
        R = torch.stack(returns)
        R = (R - R.mean()) / (R.std() + 1e-8)
        logs = policy(s).log_softmax(1).gather(1, a[:, None]).squeeze(-1)
        return update(optimizer, -(R * logs).sum())

    S, A, R, _, _ = transitions()
    yield from train(learn, S, A, R)
    yield from final(policy)


@loop(expect="refused")
def returns_discounted_with_python_numbers(record):
    policy = q_network()
    optimizer = optim.SGD(policy.parameters(), lr=0.05)

    @record
    def learn(s, a, reward):
        G, returns = 0.0, []
        for r in reversed(reward.tolist()):
            G = r + 0.9 * G
            returns.insert(0, G)
        logs = policy(s).log_softmax(1).gather(1, a[:, None]).squeeze(-1)
        return update(optimizer, -(torch.tensor(returns) * logs).sum())

    S, A, R, _, _ = transitions()
    yield from train(learn, S, A, R)


@loop
def actor_critic_with_two_optimizers(record):
    actor, critic = q_network(), nn.Linear(4, 1)
    optimizers = optim.Adam(actor.parameters(), lr=0.01), optim.Adam(critic.parameters(), lr=0.02)

    @record
    def learn(s, a, r, after, done):
        with torch.no_grad():
            goal = r + 0.9 * (1 - done) * critic(after).squeeze(1)
        value = critic(s).squeeze(1)
        critic_loss = F.mse_loss(value, goal)
        update(optimizers[1], critic_loss)
        p = actor(s).softmax(1)
        entropy = -(p * p.log()).sum(1).mean()
        logs = p.log().gather(1, a.unsqueeze(1)).squeeze(1)
        actor_loss = -(logs * (goal - value).detach()).mean() - 0.01 * entropy
        update(optimizers[0], actor_loss)
        return {"actor": actor_loss, "critic": critic_loss, "entropy": entropy}

    yield from train(learn, *transitions())
    yield from final(actor, critic, *optimizers)


@loop(each={"constant": lambda i: 0.2, "falling": lambda i: 0.2 * (1 - i / 3)})
def ppo(record, clip_of):
    """Several epochs over one rollout; the clip may change between them."""

    class Config:
        clip, entropy, epochs = 0.2, 0.01, 3

    policy, value = q_network(), nn.Linear(4, 1)
    parameters = [*policy.parameters(), *value.parameters()]
    optimizer = optim.Adam(parameters, lr=0.01)
    config = Config()

    @record
    def learn(s, a, old, advantage, returns):
        logs = F.log_softmax(policy(s), 1)
        new = logs.gather(1, a.unsqueeze(1)).squeeze(1)
        ratio = (new - old).exp()
        bounded = ratio.clamp(1 - config.clip, 1 + config.clip) * advantage
        entropy = -(logs.exp() * logs).sum(1).mean()
        loss = -torch.minimum(ratio * advantage, bounded).mean() - config.entropy * entropy
        loss = loss + 0.5 * F.mse_loss(value(s).squeeze(1), returns)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 0.5)
        optimizer.step()
        with torch.no_grad():
            kl = (old - new).mean()
        return loss, kl

    S, A, R, _, _ = transitions()
    with torch.no_grad():
        old = F.log_softmax(policy(S), 1).gather(1, A.unsqueeze(1)).squeeze(1)
    for i in range(config.epochs):
        config.clip = clip_of(i)
        yield from train(learn, S, A, old, R - R.mean(), R)
    yield from final(policy, value)


@loop
def ddpg(record):
    """Two networks, two targets, noise on actions."""
    actor = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1), nn.Tanh())
    critic = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1))
    slow_actor, slow_critic = copies(actor), copies(critic)
    pi, qf = optim.Adam(actor.parameters(), lr=0.01), optim.Adam(critic.parameters(), lr=0.01)

    @record
    def learn(s, r, after):
        with torch.no_grad():
            a = actor(s) + 0.1 * torch.randn(len(s), 1)
            a = a.clamp(-1, 1)
            goal = r.unsqueeze(1) + 0.9 * slow_critic(torch.cat([after, slow_actor(after)], 1))
        q_loss = F.mse_loss(critic(torch.cat([s, a], dim=1)), goal)
        update(qf, q_loss)
        pi_loss = update(pi, -critic(torch.cat([s, actor(s)], 1)).mean())
        for slow, net in ((slow_actor, actor), (slow_critic, critic)):
            for t, p in zip(slow.parameters(), net.parameters(), strict=True):
                t.data.mul_(0.9).add_(p.data, alpha=0.1)
        return q_loss, pi_loss

    S, _, R, N, _ = transitions()
    yield from train(learn, S, R, N)
    yield from final(actor, critic, slow_actor, slow_critic)


@loop
def td3_delays_the_policy_by_a_counter(record):
    class TD3:
        def __init__(self):
            self.actor = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
            self.critics = nn.ModuleList([nn.Linear(5, 1), nn.Linear(5, 1)])
            self.pi = optim.Adam(self.actor.parameters(), lr=0.01)
            self.qf = optim.Adam(self.critics.parameters(), lr=0.01)
            self.total_it, self.policy_freq = 0, 2

        @record
        def train(self, s, r):
            self.total_it += 1
            a = self.actor(s).detach()
            sa = torch.cat([s, a], 1)
            q_loss = sum(F.mse_loss(q(sa).squeeze(1), r) for q in self.critics)
            update(self.qf, q_loss)
            if self.total_it % self.policy_freq == 0:
                update(self.pi, -self.critics[0](torch.cat([s, self.actor(s)], 1)).mean())
            return q_loss

    agent = TD3()
    S, _, R, _, _ = transitions()
    yield from train(agent.train, S, R)
    yield agent.total_it
    yield from final(agent.actor, agent.critics)


@loop
def sac_temperature(record):
    policy, log_alpha = q_network(), nn.Parameter(torch.zeros(()))
    pi, temperature = optim.Adam(policy.parameters(), lr=0.01), optim.Adam([log_alpha], lr=0.05)

    @record
    def learn(s, q):
        p = policy(s).softmax(1)
        loss = (p * (log_alpha.exp().detach() * p.log() - q.unsqueeze(1))).sum(1).mean()
        update(pi, loss)
        entropy = -(p * p.log()).sum(1).mean().detach()
        update(temperature, log_alpha * (entropy - 0.9))
        return loss, log_alpha.exp()

    S, _, R, _, _ = transitions()
    yield from train(learn, S, R)
    yield log_alpha


@loop
def q_table(record):
    """Tabular: the row is chosen by a comparison."""
    table = torch.zeros(5, ACTIONS)
    states = torch.randint(0, 5, (24,))
    rewards = torch.randn(24)

    @record
    def learn(s, r):
        values = table.index_select(0, s)
        mask = (torch.arange(5).unsqueeze(1) == s).float()
        table.add_(0.1 * mask * (r - values))
        return values

    for i in range(24):
        yield learn(states[i : i + 1], rewards[i : i + 1])
    yield table


@loop
def bandit_with_counts(record):
    arms = [{"n": 0, "mean": torch.zeros(())} for _ in range(3)]
    R = torch.randn(48)

    @record
    def pull(r, k):
        arm = arms[k]
        arm["n"] += 1
        arm["mean"].add_((r - arm["mean"]) / arm["n"])
        return arm["mean"]

    for i in range(48):
        yield pull(R[i], i % 3)
    yield arms


@loop
def normaliser_of_observations(record):
    """Running mean and variance (Welford) with a count in Python."""

    class Normaliser:
        def __init__(self, size):
            self.mean, self.var, self.count = torch.zeros(size), torch.ones(size), 0

        def __call__(self, x):
            n = x.shape[0]
            delta = x.mean(0) - self.mean
            total = self.count + n
            self.mean = self.mean + delta * n / total
            self.var = (self.var * self.count + x.var(0) * n) / total
            self.count = total
            return (x - self.mean) / (self.var + 1e-8).sqrt()

    q, norm = q_network(), Normaliser(4)
    optimizer = optim.SGD(q.parameters(), lr=0.01)

    @record
    def learn(s, a):
        return update(optimizer, F.cross_entropy(q(norm(s)), a))

    S, A, _, _, _ = transitions()
    yield from train(learn, S, A)
    yield norm.mean, norm.var, norm.count
