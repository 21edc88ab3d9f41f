"""Checkpoints: all that a training needs to go on as if it had never stopped, in one file.

The file is safetensors. Tensors have names made of their places, "optimizer.state.0.exp_avg"; all
else is JSON in the metadata, which holds these names where the tensors were. Nothing in it can run,
as what is in a pickle can.
"""

import json
from contextlib import suppress
from copy import deepcopy
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from pyml import io, json_tree
from pyml.nn.module import Module
from pyml.optim.lr_scheduler import LRScheduler
from pyml.optim.optimizer import Optimizer
from pyml.random import Generator, generator_of_thread
from pyml.tensor import Tensor, unwritable

__all__ = ["LoadedCheckpoint", "load_checkpoint", "save_checkpoint"]

KEY = "pyml_checkpoint"  # in the metadata: {"version", "crc32", "named", "content"}
VERSION = 1

PARTS = ("model", "optimizer", "scheduler", "generator")
TREES = ("progress", "best", "extra")


class LoadedCheckpoint(NamedTuple):
    """What load_checkpoint read beside the state that it loaded; None where nothing was saved."""

    progress: Any
    """How far the training was."""
    best: Any
    """The best model so far, as it was saved."""
    extra: Any
    """Anything else."""


def save_checkpoint(
    path,
    *,
    model=None,
    optimizer=None,
    scheduler=None,
    generator=None,
    progress=None,
    best=None,
    extra=None,
):
    """Writes what a training needs to go on later, bit for bit as if it had not stopped.

    The state of the default generator is always part of it. Gradients are not: save after
    optimizer.step(). The file takes its name when it is whole and on the disk: a kill at any moment
    leaves the old checkpoint or the new one.

    A tree is a dict, list or tuple of trees, a number, a string, None, a Tensor or a NumPy array.
    Keys of a dict are numbers, strings, None, or tuples of these. What is of a subclass of these
    types comes back as the type itself, a Parameter as a Tensor; all else comes back as it was.

    Args:
        path: the file. A file of that name is replaced.
        model, optimizer, scheduler: an object with state_dict() and load_state_dict(), whose
            state_dict() is a tree, or a dict {name: object} of several. Default: none.
        generator: a Generator, or a dict {name: Generator}, to keep beside the default generator.
            Default: none.
        progress: how far the training is: an object with state_dict(), or a tree. Default: None.
        best: a tree, such as {"loss": 0.1, "state_dict": ...}. model.state_dict() shares memory
            with the model: keep a copy.deepcopy of it while training goes on. Default: None.
        extra: a tree. Default: None.

    Raises:
        TypeError: if an object lacks these methods, or something in a tree cannot be kept.
        ValueError: if a tree is nested deeper than 100, or holds itself, or its text is longer than
            the format allows, 100 MB.
        OSError: if the file cannot be written.

    Example:
        >>> model = pyml.nn.Linear(2, 1)
        >>> optimizer = pyml.optim.Adam(model.parameters())
        >>> for epoch in range(3):
        ...     model(pyml.ones(4, 2)).sum().backward()
        ...     optimizer.step()
        ...     pyml.save_checkpoint(
        ...         "run.safetensors", model=model, optimizer=optimizer, progress={"epoch": epoch}
        ...     )
        >>> checkpoint = pyml.load_checkpoint("run.safetensors", model=model, optimizer=optimizer)
        >>> checkpoint.progress["epoch"]
        2
    """
    content, named = {}, []
    values = (model, optimizer, scheduler, _beside_default(generator))
    for argument, value in zip(PARTS, values, strict=True):
        if value is None:
            continue
        things = _things("save_checkpoint", argument, value)
        states = {name: _state(thing) for name, thing in things.items()}
        if _is_single(value):
            content[argument] = states[None]
        else:
            content[argument] = states
            named.append(argument)
    content["default_generator"] = generator_of_thread().get_state()
    content["progress"] = progress.state_dict() if hasattr(progress, "state_dict") else progress
    content["best"] = best
    content["extra"] = extra

    writer = json_tree.Writer("save_checkpoint", "a checkpoint")
    content = {name: writer.encoded(value, (name,)) for name, value in content.items()}
    header = {
        "version": VERSION,
        "crc32": json_tree.checksum([named, content], writer.arrays),
        "named": named,
        "content": content,
    }
    io.save(writer.arrays, path, {KEY: json.dumps(header)})


def load_checkpoint(path, *, model=None, optimizer=None, scheduler=None, generator=None):
    """Loads what save_checkpoint wrote: the training goes on bit for bit as it would have.

    Make the model, the optimizer and the scheduler as they were made before the checkpoint, then
    load all of them. Everything is checked before anything is changed. What the file has beyond
    what is asked for is left in it.

    Args:
        path: the file.
        model, optimizer, scheduler: the objects to load into, or a dict {name: object} of several,
            as they were saved. Default: none.
        generator: a Generator, or a dict {name: Generator}, to load beside the default generator,
            which is always loaded. False leaves every generator as it is. Default: none.

    Returns:
        A LoadedCheckpoint: progress, best and extra as they were saved, progress as a tree.

    Raises:
        ValueError: if the file is not a checkpoint, is damaged, is of a newer version, or lacks
            what is asked for; or if names, shapes, groups or options do not fit. Nothing has
            changed then.
        TypeError: if an object lacks the methods, or has other dtypes than the file; or if an
            option in the file is not of the type that it must be. Nothing has changed then.
        OSError: if there is no such file.

    Example:
        >>> model = pyml.nn.Linear(2, 1)
        >>> pyml.save_checkpoint("run.safetensors", model=model, extra={"classes": ("cat", "dog")})
        >>> pyml.load_checkpoint("run.safetensors", model=model).extra
        {'classes': ('cat', 'dog')}
    """
    content, named = _read(path)
    restore_generators = generator is not False
    generator = _beside_default(generator) if restore_generators else None
    loads = []  # (place, thing, state)
    values = (model, optimizer, scheduler, generator)
    for argument, value in zip(PARTS, values, strict=True):
        if value is not None:
            loads += _matched(path, argument, value, content, named)
    if restore_generators:
        default = generator_of_thread()
        loads.append(("default_generator", default, content["default_generator"]))
    for place, thing, state in loads:
        _check(f"load_checkpoint: {place}", thing, state)
    _load(loads)
    return LoadedCheckpoint(*(content[argument] for argument in TREES))


# ---- parts ---------------------------------------------------------------------------------------


def _beside_default(generator):
    return None if generator is generator_of_thread() else generator


def _is_single(value):
    return not isinstance(value, dict) or hasattr(value, "state_dict")


def _things(function, argument, value):
    """{name: object} of an argument, {None: object} if it is a single one; checked."""
    things = {None: value} if _is_single(value) else value
    for name, thing in things.items():
        place = argument if name is None else f"{argument}[{name!r}]"
        if not (_is_single(value) or isinstance(name, str)):
            raise TypeError(f"{function}: {argument} has the key {name!r}, it must be a string")
        if argument == "generator":
            if not isinstance(thing, Generator):
                raise TypeError(
                    f"{function}: {place} is a {type(thing).__name__}, it must be a Generator "
                    "or a dict {name: Generator}"
                )
        elif not all(
            callable(getattr(thing, method, None)) for method in ("state_dict", "load_state_dict")
        ):
            raise TypeError(
                f"{function}: {place} is a {type(thing).__name__}, it must have state_dict() and "
                "load_state_dict(), or be a dict {name: object} of such objects"
            )
    return things


def _state(thing):
    return thing.get_state() if isinstance(thing, Generator) else thing.state_dict()


def _set_state(thing, state):
    if isinstance(thing, Generator):
        thing.set_state(state)
    else:
        thing.load_state_dict(state)


def _matched(path, argument, value, content, named):
    """[(place, object, its state in the file)] of an argument."""
    things = _things("load_checkpoint", argument, value)
    if argument not in content:
        present = ", ".join(part for part in PARTS if part in content) or "none"
        raise ValueError(
            f"load_checkpoint: {path} has no {argument} (of {', '.join(PARTS)} it has: {present}); "
            f"leave {argument} out, or save it with save_checkpoint({argument}=...)"
        )
    saved = content[argument]
    if argument not in named:
        if not _is_single(value):
            raise ValueError(
                f"load_checkpoint: {argument} is a dict, but {path} has a single one; "
                "pass the object itself"
            )
        return [(argument, value, saved)]
    names = ", ".join(map(repr, saved))
    if _is_single(value):
        raise ValueError(
            f"load_checkpoint: {argument} is a single one, but {path} has several: {names}; "
            "pass a dict {name: object}"
        )
    for name in things:
        if name not in saved:
            raise ValueError(
                f"load_checkpoint: {argument} has the name {name!r}, "
                f"which {path} lacks; it has: {names}"
            )
    return [(f"{argument}[{name!r}]", thing, saved[name]) for name, thing in things.items()]


def _load(loads):
    """Loads each state; if one cannot be, loads again what was there before, and raises."""
    before = [(thing, deepcopy(_state(thing))) for _, thing, _ in loads]
    try:
        for _, thing, state in loads:
            _set_state(thing, state)
    except BaseException:
        for thing, state in before:
            with suppress(Exception):
                _set_state(thing, state)
        raise


# ---- checks before loading -----------------------------------------------------------------------


def _check(place, thing, state):
    """Raises unless the state fits the thing."""
    if isinstance(thing, Generator):
        _check_array(place, state, thing.state)
        return
    if isinstance(thing, Optimizer):
        _check_optimizer(place, thing, state)
    else:
        _check_entries(place, thing, state)
    if isinstance(thing, Optimizer) or type(thing).load_state_dict is LRScheduler.load_state_dict:
        try:
            thing._read(state)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{place}: {error}") from None


def _check_entries(place, thing, state):
    """Names, and the shapes and dtypes of arrays, against the thing's own state_dict()."""
    own = thing.state_dict()
    if not isinstance(own, dict):
        return
    who = type(thing).__name__
    if not isinstance(state, dict):
        raise ValueError(f"{place}: the file has a {type(state).__name__}, {who} needs a dict")
    problems = []
    if missing := [name for name in own if name not in state]:
        problems.append(f"the file lacks {_listed(missing)}")
    # Others than modules may get a name only later, as a schedule that keeps its best loss.
    if isinstance(thing, Module) and (more := [name for name in state if name not in own]):
        problems.append(f"{who} lacks {_listed(more)}")
    if problems:
        raise ValueError(f"{place}: {', and '.join(problems)}; make it as it was when it was saved")
    for name, value in own.items():
        if isinstance(thing, Module) or isinstance(state[name], (Tensor, np.ndarray)):
            _check_array(f"{place}: {name}", state[name], value)
        is_written = isinstance(thing, Module) and isinstance(value, Tensor)
        if is_written and (why := unwritable(value.array)):
            raise ValueError(f"{place}: {name} {why}; clone() it")


def _check_array(place, saved, own):
    """Shape and dtype, if `own` has them."""
    if not isinstance(own, (Tensor, np.ndarray)):
        return
    if not isinstance(saved, (Tensor, np.ndarray)):
        raise ValueError(f"{place} is a {type(saved).__name__} in the file, it must be a Tensor")
    if saved.shape != own.shape:
        raise ValueError(f"{place} has shape {saved.shape} in the file, {own.shape} here")
    if saved.dtype != own.dtype:
        raise TypeError(
            f"{place} has dtype {saved.dtype} in the file, {own.dtype} here; "
            "make it in the dtype that was saved"
        )


def _check_optimizer(place, optimizer, state):
    """Groups, options, and the shapes and dtypes of the state."""
    who = type(optimizer).__name__
    if not (
        isinstance(state, dict)
        and isinstance(state.get("state"), dict)
        and isinstance(state.get("param_groups"), list)
    ):
        raise ValueError(f"{place}: what the file has is not of an optimizer like {who}")
    try:
        saved_groups = optimizer._read_groups(state)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    groups = optimizer.param_groups
    for i, (group, saved) in enumerate(zip(groups, saved_groups, strict=True)):
        if missing := [name for name in optimizer.defaults if name not in saved]:
            raise ValueError(
                f"{place}: param_groups[{i}] of the file lacks {_listed(missing)}, an option of "
                f"{who}; it is of another kind of optimizer"
            )
        names, saved_names = group.get("param_names"), saved.get("param_names")
        if None not in (names, saved_names) and names != saved_names:
            if not isinstance(saved_names, list):
                raise ValueError(f"{place}: param_groups[{i}] of the file has no list of names")
            raise ValueError(
                f"{place}: param_groups[{i}] has the parameters {_listed(saved_names)} in the "
                f"file, {_listed(names)} here; give them in the order in which they were saved"
            )
    params = dict(enumerate(chain.from_iterable(group["params"] for group in groups)))
    for i, values in state["state"].items():
        if i in params and isinstance(values, dict):
            for name, value in values.items():
                _check_state(f"{place}: {name} of parameter {i}", optimizer, params[i], name, value)


def _check_state(place, optimizer, param, name, value):
    if not isinstance(value, Tensor):
        return
    if (
        optimizer._kernel is None and name not in optimizer._state_names()
    ):  # written in Python: its state has any shape
        if value.is_floating_point() and value.dtype != param.dtype:
            raise TypeError(
                f"{place} has dtype {value.dtype} in the file; load_state_dict() of "
                f"{type(optimizer).__name__} would round it to {param.dtype}, its parameter's"
            )
    elif name in optimizer._numbers:
        _check_array(place, value, np.zeros((), np.float64))
    else:
        shape = optimizer._state_shape(param, name)
        _check_array(place, value, np.broadcast_to(param.dtype.type(0), shape))


def _listed(names):
    return ", ".join(map(str, names))


# ---- reading -------------------------------------------------------------------------------------


def _read(path):
    """The content of a checkpoint, and which of its parts are dicts of several objects."""
    path = io._checked_path(path)
    arrays, metadata = io._read(path)
    if KEY not in metadata:
        raise ValueError(
            f"{path}: is not a checkpoint, but a safetensors file of other content; "
            "pyml.load() reads its tensors"
        )
    return json_tree.read_header(
        metadata[KEY], path, VERSION, lambda header: _content(header, arrays), "a checkpoint "
    )


def _content(header, arrays):
    """The content of a header of this version, and which of its parts are dicts."""
    named, nodes = json_tree.entry(header, "named"), json_tree.entry(header, "content")
    json_tree.check_sum(header, [named, nodes], arrays)
    for argument in ("default_generator", *TREES):
        json_tree.entry(nodes, argument)
    content = {argument: json_tree.decoded(node, arrays) for argument, node in nodes.items()}
    if not (isinstance(named, list) and all(name in PARTS for name in named)):
        raise ValueError(f"its list of parts with names is {named!r}")
    for argument in named:
        things = json_tree.entry(content, argument)
        if not (isinstance(things, dict) and all(isinstance(name, str) for name in things)):
            raise ValueError(f"its {argument} is no dict of names")
    return content, named
