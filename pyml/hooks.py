"""What those are given who register a hook: with a Tensor, a module or an optimizer."""

from pyml.recorder import altered

of_every_module = []  # hooks that run around the call of every module, beside its own


class AfterAccumulation:
    """Among the hooks of a leaf, one that runs when its gradient has been accumulated."""

    def __init__(self, hook):
        self.hook = hook


class AfterNode:
    """Among the hooks of a node, or of a leaf for its AccumulateGrad, one that runs after it."""

    def __init__(self, hook):
        self.hook = hook


class BeforeNode:
    """Among these, one that runs before it, where it runs: not for a gradient that is asked for."""

    def __init__(self, hook):
        self.hook = hook

    def __call__(self, grad):
        result = self.hook((grad,))
        if not isinstance(result, tuple):
            return result
        if len(result) != 1:
            raise RuntimeError(
                f"register_prehook: the hook gave {len(result)} gradients, it must give None or a "
                "tuple with one"
            )
        return result[0]


class HookHandle:
    """Takes a hook away again; as a context manager, at the end of the block."""

    def __init__(self, hooks, hook):
        self._hooks, self._hook = hooks, hook

    def remove(self):
        """Removes the hook; a second call does nothing. Who registered it twice has two handles."""
        place = next((i for i, hook in enumerate(self._hooks) if hook is self._hook), None)
        if place is not None:
            del self._hooks[place]
            altered(self, "hooks", None)
        self._hooks = ()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()
