from pyml.distributions import kl_divergence as kl_divergence
from pyml.distributions import register_kl as register_kl
