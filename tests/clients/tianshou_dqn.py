"""tianshou: DQN on what a random agent of CartPole saw, and PPO on its episodes."""

import gymnasium
import numpy as np
import start
import torch
from tianshou.algorithm.modelfree.dqn import DQN, DiscreteQLearningPolicy
from tianshou.algorithm.modelfree.ppo import PPO
from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch, ReplayBuffer
from tianshou.utils.net.common import Net
from tianshou.utils.net.discrete import DiscreteActor, DiscreteCritic
from tianshou.utils.torch_utils import policy_within_training_step, torch_train_mode

start.draw_by_numpy()
env = gymnasium.make("CartPole-v1")
buffer = ReplayBuffer(300)
state, _ = env.reset(seed=0)
for i in range(300):
    action = int(start.rng.integers(2))
    following, reward, terminated, truncated, _ = env.step(action)
    seen = {"obs": state, "act": action, "rew": reward, "obs_next": following, "info": {}}
    buffer.add(Batch(terminated=terminated, truncated=truncated, **seen))
    state = env.reset(seed=i)[0] if terminated or truncated else following


def net(**options):
    return Net(state_shape=4, hidden_sizes=[32, 32], **options)


dqn = DQN(
    policy=DiscreteQLearningPolicy(
        model=start.begin(net(action_shape=2)), action_space=env.action_space
    ),
    optim=AdamOptimizerFactory(lr=1e-3),
    gamma=0.9,
    n_step_return_horizon=3,
    target_update_freq=10,
)
ppo = PPO(
    policy=ProbabilisticActorPolicy(
        actor=start.begin(DiscreteActor(preprocess_net=net(), action_shape=2)),
        dist_fn=torch.distributions.Categorical,
        action_space=env.action_space,
        action_scaling=False,
        action_bound_method=None,
    ),
    critic=start.begin(DiscreteCritic(preprocess_net=net())),
    optim=AdamOptimizerFactory(lr=1e-3),
)
losses = []
for algorithm, update, count in (
    (dqn, lambda: dqn.update(sample_size=64, buffer=buffer).loss, 30),
    (ppo, lambda: ppo.update(buffer=buffer, batch_size=64, repeat=2).loss.mean, 5),
):
    with policy_within_training_step(algorithm.policy), torch_train_mode(algorithm.policy):
        for i in range(count):
            np.random.seed(i)
            losses.append(float(update()))
