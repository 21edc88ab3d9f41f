"""What those are given who register a hook: with a Tensor, a module or an optimizer."""

from pyml.recorder import altered


class HookHandle:
    """Takes a hook away again; as a context manager, at the end of the block."""

    def __init__(self, hooks, hook):
        self._hooks, self._hook = hooks, hook

    def remove(self):
        """Removes the hook; a second call does nothing."""
        self._hooks[:] = [h for h in self._hooks if h is not self._hook]
        altered(self, "hooks", None)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()
