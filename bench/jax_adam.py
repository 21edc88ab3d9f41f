"""Adam for the sides that JAX computes: one expression of the state, which XLA fuses."""

LR, BETAS, EPS = 1e-3, (0.9, 0.999), 1e-8


def adam(state, g):
    """The state (params, m, v, t) after a step with the gradients g."""
    import jax
    import jax.numpy as jnp

    params, m, v, t = state
    t = t + 1
    m = jax.tree.map(lambda m, g: BETAS[0] * m + (1 - BETAS[0]) * g, m, g)
    v = jax.tree.map(lambda v, g: BETAS[1] * v + (1 - BETAS[1]) * g * g, v, g)
    rate, root = LR / (1 - BETAS[0] ** t), jnp.sqrt(1 - BETAS[1] ** t)
    params = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + EPS), params, m, v)
    return params, m, v, t
