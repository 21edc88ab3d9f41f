"""pyml under the name torch, for programs and libraries that import that.

    python -m pyml.as_torch script.py arguments...
    python -m pyml.as_torch -m module arguments...

or, before anything that imports torch, the first line of a program:

    import pyml.as_torch

`torch.__version__` is the PyTorch whose meaning pyml follows; `torch.__pyml__` tells the truth, the
version of pyml. What pyml has not, torch here has not either, but for names that programs import
without need: pyml.stand_ins.
"""

import functools
import importlib
import os
import pickle
import re
import runpy
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, DistributionFinder
from importlib.util import find_spec
from types import ModuleType

from pyml.attributes import _show_as_of
from pyml.config import __version__ as _PYML_VERSION
from pyml.left_out import FAMILIES, family_of
from pyml.stand_ins import ALIASES, STAND_INS, get_rng_state, stand_in, whole

__all__ = ["TorchVersion", "install", "main"]

LAYERS = """
    activation adaptive batchnorm container conv distance dropout flatten fold instancenorm lazy
    linear loss module normalization padding pooling rnn sparse transformer upsampling"""


def _below(package, names, source):
    return {f"{package}.{name}": source for name in names.split()}


# A module of torch: what of pyml it shows, all that are there. A module that stands here, in
# STAND_INS or in pyml by the same name can be imported.
MODULES = {
    "torch": ("pyml",),
    "torch.torch_version": (),
    "torch.autograd.gradcheck": ("pyml.autograd",),
    "torch.autograd.grad_mode": ("pyml.grad_mode",),
    "torch.autograd.variable": ("pyml.autograd",),
    "torch.distributions.studentT": ("pyml.distributions",),
    "torch.nn.modules": ("pyml.nn",),
    **_below("torch.nn.modules", LAYERS, ("pyml.nn",)),
    "torch.nn.modules.lazy": ("pyml.nn", "pyml.nn.lazy"),
    "torch.nn.modules.module": ("pyml.nn", "pyml.nn.hooks"),
    "torch.nn.modules.utils": ("pyml.nn.utils.prefix",),
    "torch.nn.utils.convert_parameters": ("pyml.nn.utils",),
    "torch.nn.utils.stateless": ("pyml.func",),
    "torch.optim.adamw": ("pyml.optim",),
    "torch.utils._pytree": ("pyml.pytree",),
    "torch.utils.data._utils": (),
    "torch.utils.data._utils.collate": ("pyml.utils.data",),
    "torch.utils.data.dataset": ("pyml.utils.data",),
    "torch.utils.data.dataloader": ("pyml.utils.data",),
    "torch.utils.data.sampler": ("pyml.utils.data",),
    "torch.utils.data.distributed": ("pyml.utils.data",),
    "torch.utils.tensorboard.summary": ("pyml.utils.tensorboard",),
    "torch.utils.tensorboard.writer": ("pyml.utils.tensorboard",),
}
OF_TORCH = {  # modules of pyml that are torch's too
    *(
        "accelerator",
        "amp",
        "autograd",
        "backends",
        "cuda",
        "distributions",
        "func",
        "linalg",
        "mps",
        "nn",
    ),
    *("optim", "random", "special", "testing", "utils", "xpu"),
}
LAZY = {"pyml": ("load", "save")}


class TorchVersion(str):
    """A version that is compared as one: "2.13.0" > "2.4", > (2, 4)."""

    def __eq__(self, other):
        return NotImplemented if (parts := _release(other)) is None else _release(self) == parts

    def __lt__(self, other):
        return NotImplemented if (parts := _release(other)) is None else _release(self) < parts

    def __le__(self, other):
        return self < other or self == other

    def __gt__(self, other):
        return not self <= other

    def __ge__(self, other):
        return not self < other

    __hash__ = str.__hash__


def _release(version):
    """The numbers of a version, without zeros at the end; None for what is none."""
    if isinstance(version, str):
        numbers = re.match(r"\d*(?:\.\d+)*", version)[0].split(".")
    elif isinstance(version, (tuple, list)):
        numbers = version
    else:
        return None
    numbers = [int(number) for number in numbers if str(number).isdecimal()]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers


VERSION = TorchVersion("2.13.0")


# ---- modules -------------------------------------------------------------------------------------


class Served(ModuleType):
    """A module of torch, made of what pyml has."""

    def __getattr__(self, name):
        module = self.__name__
        if name == "__all__":
            return [name for name in dir(self) if not name.startswith("_")]
        submodule, short = f"{module}.{name}", _short(module)
        if not name.startswith("__") or submodule in STAND_INS:  # torch.__future__
            if _sources(submodule) is not None and not whole(short):
                return importlib.import_module(submodule)
            if (value := stand_in(short, name)) is not None:
                setattr(self, name, value)
                return value
            if family := family_of(short, name):
                raise AttributeError(
                    f"module {module!r} has no attribute {name!r}: left out, as "
                    f"{FAMILIES[family].why}"
                )
        raise AttributeError(
            f"module {module!r} has no attribute {name!r}; it is pyml {_PYML_VERSION} under the "
            "name of torch (docs/parity.md lists what is there)"
        )

    def __setattr__(self, name, value):
        # An import puts a module into its package: not over a function, autograd.gradcheck.
        if not (isinstance(value, Served) and callable(vars(self).get(name))):
            super().__setattr__(name, value)

    def __dir__(self):
        return sorted({*vars(self), *_left_out(self.__name__)})


def _short(module):
    """The module's name in the tables of left_out: all layers are of nn."""
    short = module.removeprefix("torch.")
    return {"nn.modules": "nn", "nn.parallel": "nn.parallel"}.get(
        ".".join(short.split(".")[:2]), "utils.data" if short.startswith("utils.data.") else short
    )


def _left_out(module):
    """The names of a module that a stand-in answers."""
    short = _short(module)
    names = " ".join(family.names.get(short, "") for family in FAMILIES.values()).split()
    return [name for name in names if stand_in(short, name) is not None]


def _sources(module):
    """The names of what a module of torch shows; None if there is no such module."""
    if module in MODULES:
        return MODULES[module]
    own = "pyml" + module.removeprefix("torch")
    if module.split(".")[1] in OF_TORCH and "._" not in module and _found(own):
        return (own,)
    return () if module in STAND_INS or whole(module.removeprefix("torch.")) else None


def _found(name):
    """Whether pyml has a module of this name."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # what is before the dot is none
        return False


def _shown(source):
    """{name: value} of what a module of pyml shows."""
    try:
        module = importlib.import_module(source)
    except ModuleNotFoundError:
        return {}
    names = getattr(module, "__all__", None) or [n for n in vars(module) if n[0] != "_"]
    shown = {name: getattr(module, name) for name in (*names, *LAZY.get(source, ()))}
    return {name: value for name, value in shown.items() if not isinstance(value, ModuleType)}


def _at(path):
    """The object of a dotted name, None if there is none."""
    module, _, name = path.rpartition(".")
    return _shown(module).get(name) or getattr(sys.modules.get(module), name, None)


class TorchDistribution(Distribution):
    """What importlib.metadata says of the package torch, whether PyTorch is installed or not."""

    def read_text(self, filename):
        """The name and the version, in METADATA; None for other files."""
        summary = f"pyml {_PYML_VERSION} under the name of torch"
        metadata = f"Metadata-Version: 2.1\nName: torch\nVersion: {VERSION}\nSummary: {summary}\n"
        return metadata if filename == "METADATA" else None

    def locate_file(self, path):
        """Where the file would be."""
        return os.path.join(os.path.dirname(__file__), path)


class Finder(MetaPathFinder, Loader):
    """Finds the modules of torch, and the package for those who ask its version."""

    def find_spec(self, fullname, path=None, target=None):
        """The spec of torch or of a module of it; None for others."""
        if fullname != "torch" and not fullname.startswith("torch."):
            return None
        if _sources(fullname) is None:
            return None
        return ModuleSpec(fullname, self, origin=__file__, is_package=True)

    def find_distributions(self, context=DistributionFinder.Context()):  # noqa: B008
        """That of torch, if it is asked for by name or among all."""
        return [TorchDistribution()] if (context.name or "torch").lower() == "torch" else []

    def create_module(self, spec):
        """A Served module."""
        return Served(spec.name)

    def exec_module(self, module):
        """Fills it: stand-ins, then what pyml has, which wins."""
        name = module.__name__
        if name.startswith("torch.utils.tensorboard"):
            importlib.import_module("tensorboard")  # without it PyTorch's cannot be imported either
        names = vars(module)
        names["__file__"] = __file__  # by which recordings know it as a library
        names.update(STAND_INS.get(name, {}))
        for source in reversed(_sources(name)):
            names.update(_shown(source))
        for alias, path in ALIASES.get(name, {}).items():
            if (value := _at(path)) is not None:
                names.setdefault(alias, value)
        if name == "torch":  # PyTorch's: whole modules are saved, states are tensors
            names["save"] = functools.partial(names["save"], pickle_module=pickle)
            names["get_rng_state"] = get_rng_state
        if name in ("torch", "torch.version"):
            names.update(__version__=VERSION, __pyml__=_PYML_VERSION)
        if name == "torch.torch_version":
            names.update(__version__=VERSION, TorchVersion=TorchVersion)


def install() -> None:
    """Serves pyml as torch in this process from now on.

    Raises:
        RuntimeError: if another torch is imported already: half of a program would have that one.
    """
    torch = sys.modules.get("torch")
    if torch is not None and not isinstance(torch, Served):
        where = getattr(torch, "__file__", None) or "without a file"
        raise RuntimeError(
            f"pyml.as_torch: another torch is imported already ({where}); import pyml.as_torch "
            "before anything that imports torch"
        )
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())
    importlib.import_module("torch")
    _show_as_of("torch")


# ---- the command ---------------------------------------------------------------------------------


def main(argv: list[str] | None = None) -> None:
    """Runs a script or module with pyml as torch; returns the exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    words = argv[1:] if argv[:1] == ["-m"] else argv
    if not words or (words is argv and words[0].startswith("-")):
        usage = "usage: python -m pyml.as_torch (script.py | -m module) [arguments...]"
        asked = argv[:1] in (["-h"], ["--help"])
        print(usage, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    install()
    sys.argv = words
    if words is argv:
        if not os.path.exists(words[0]):
            print(f"pyml.as_torch: there is no file {words[0]!r}", file=sys.stderr)
            return 2
        sys.path[0] = os.path.dirname(os.path.realpath(words[0]))
        runpy.run_path(words[0], run_name="__main__")
    else:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":  # a module of another name than pyml.as_torch, which is imported
    from pyml.as_torch import main as _main

    sys.exit(_main())
install()
