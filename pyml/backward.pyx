"""The walk of backward.

Nodes are numbered as they are made, so an input's number is always smaller than that of its consumers, and walking
them from the largest number down is a topological order: `walk_graph` does it. It keeps its own queue, so a
chain of any length takes no stack.
"""
import threading

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.dict cimport PyDict_Next
from cpython.ref cimport PyObject

from pyml.grad_mode cimport grad_enabled, switch_grad
from pyml.memory cimport new_number, only_one_has
from pyml.no_gil cimport added, now
from pyml.recorder cimport Recorder, recorder
from pyml.tensor cimport (
    Node, Tensor, check_accumulates, detects_anomalies, ops, refresh, refuse_gradient, takes, unwritable, wrap,
)

from pyml.errors import ArgumentError
from pyml.dispatch import entry
from pyml.hooks import AfterAccumulation, AfterNode, BeforeNode
from pyml.recorder import refuse

cnp.import_array()

cdef extern from "Python.h":
    PyObject *PyDict_SetDefault(dict, object, object) except NULL


cdef extern from *:
    """
    static _Thread_local int pyml_retains_graphs = 0;
    """
    int pyml_retains_graphs


class retained_graphs:
    """Context manager: backward frees no graph on this thread, whatever retain_graph says."""

    def __enter__(self):
        global pyml_retains_graphs
        pyml_retains_graphs += 1

    def __exit__(self, *exc):
        global pyml_retains_graphs
        pyml_retains_graphs -= 1


def backward(Tensor self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
    """Adds the gradient of this tensor to the .grad of every leaf that it was computed from.

    Args:
        gradient: the gradient of the final result by this tensor, of its shape; may be left out for a scalar.
        retain_graph: keep what the nodes saved, so that backward can run again. Default: create_graph.
        create_graph: record the gradient computation itself, for second derivatives.
        inputs: leaves to accumulate into; the others are left alone. Default: all.

    Raises:
        RuntimeError: if nothing requires grad; if a scalar is needed; if the graph was freed by an
            earlier backward; if a value that is needed was changed in place.
    """
    walk((self,), (gradient,), create_graph if retain_graph is None else retain_graph, create_graph,
         None if inputs is None else ((inputs,) if isinstance(inputs, Tensor) else tuple(inputs)), True)


@entry   # for gradients of each sample
def run_backward(
    tuple outputs, tuple gradients, bint retain_graph, bint create_graph, tuple inputs or None, bint accumulate,
):
    """Walks the graph from `outputs` and returns the gradients of `inputs` (None where not reached).

    With `accumulate`, gradients are added to the .grad of leaves instead: of `inputs`, or of all if None.
    Nothing is accumulated unless the whole walk succeeded.
    """
    return walk(outputs, gradients, retain_graph, create_graph, inputs, accumulate)


cdef int watched = 0   # hooks of several tensors that are registered
walks = threading.local()


def watch(int change):
    """Counts hooks of several tensors: while there are none, walks keep no state for them."""
    added(watched, change)


def state_of_walk():
    """What hooks of several tensors keep of the backward that runs: of each a function to call after it and its argument.

    None if it began before there were such hooks.
    """
    states = getattr(walks, "states", None)
    return states[-1] if states else None


cdef object walk(
    tuple outputs, tuple gradients, bint retain_graph, bint create_graph, tuple inputs, bint accumulate,
):
    if now(watched) == 0:
        return walk_graph(outputs, gradients, retain_graph, create_graph, inputs, accumulate)
    cdef dict state = {}
    states = walks.__dict__.setdefault("states", [])
    states.append(state)
    try:
        result = walk_graph(outputs, gradients, retain_graph, create_graph, inputs, accumulate)
    finally:
        states.pop()
    for function, argument in state.values():
        function(argument)
    return result


@cython.boundscheck(False)   # the gradients that a node gave are counted
@cython.wraparound(False)
cdef object walk_graph(
    tuple outputs, tuple gradients, bint retain_graph, bint create_graph, tuple inputs, bint accumulate,
):
    cdef dict pending = {}        # edge -> the gradient gathered for it so far
    cdef dict wanted = {}         # node -> gradient, for inputs that are not leaves
    cdef set path = None          # with inputs: the edges that lead to one of them
    cdef list leaves
    cdef dict sums                # leaf -> its new .grad; None: the gradient is to be added in place
    cdef list queue = []          # nodes with a pending gradient, the newest last,
    cdef Node newest = None       # and the newest of all, which is mostly the only one
    cdef Tensor output, grad, dx, leaf
    cdef Node node
    cdef tuple grads
    cdef Py_ssize_t i, at = 0
    cdef Py_ssize_t known
    cdef PyObject *key
    cdef PyObject *value
    cdef bint before = grad_enabled(), hooked = False   # has a leaf hooks?
    cdef Recorder r = recorder()

    for item in outputs:
        if not isinstance(item, Tensor):
            raise TypeError(f"backward: gradients can be computed of a Tensor, not of {type(item).__name__}")
    if inputs is not None:
        for item in inputs:
            if not isinstance(item, Tensor):
                raise TypeError(f"backward: inputs must be Tensors, not {type(item).__name__}")
    if r is not None:
        r.backward(outputs)
    for i in range(min(len(outputs), len(gradients))):
        output = <Tensor>outputs[i]
        refresh(output)
        grad = first_gradient(output, gradients[i])
        edge = output if output.node is None else output.node
        if edge in pending:
            pending[edge] = ops.add(pending[edge], grad)
        else:
            pending[edge] = grad
            if output.node is not None:
                enqueue(queue, output.node)
            elif output.hooks is not None:
                hooked = True
    if inputs is not None:
        for leaf in inputs:
            refresh(leaf)
            if not leaf._requires_grad:
                raise RuntimeError("grad: one of the inputs does not require grad")
            if leaf.node is not None:
                wanted[leaf.node] = None
        if not inputs:
            raise RuntimeError("backward: inputs cannot be empty")
        path = edges_towards({leaf if leaf.node is None else leaf.node for leaf in inputs}, queue)

    switch_grad(create_graph)
    try:
        newest = queue.pop() if queue else None
        while newest is not None:
            node = newest
            newest = queue.pop() if queue else None
            grad = pending.pop(node)
            if not takes(node, grad):   # checked as it came, but another hook may have replaced its data
                refuse_gradient(f"backward: {node.name()} has", grad, node)
            if node.output_hooks is not None:
                grad = run_hooks(node.output_hooks, grad, node)
            if wanted and node in wanted:
                wanted[node] = grad
            if path is not None and node not in path:
                if accumulate and node.output_hooks is not None:
                    run_hooks(node.output_hooks, grad, node, True)   # whose result nobody takes
                continue
            if node.output_hooks is not None:
                grad = run_hooks(node.output_hooks, grad, node, True)
            given = dx = None   # nobody but this function has the gradient, if nobody keeps it: see room_of
            shown = grad if node.output_hooks is not None else None   # hooks get it, too
            grads = node.gradients(grad) if create_graph else node.gradients_fused(grad)
            if len(grads) != len(node.inputs):
                raise RuntimeError(
                    f"{node.name()}: backward gave {len(grads)} gradients for {len(node.inputs)} inputs")
            if detects_anomalies():
                check_for_nan(node, grads)
            if node.output_hooks is not None:
                grads = run_hooks_after_node(node, grads, grad)
            for i in range(len(grads)):
                edge = node.inputs[i]
                given = grads[i]
                if edge is None or given is None or (path is not None and edge not in path and edge not in wanted):
                    continue
                if not isinstance(given, Tensor) or not takes(edge, given):
                    refuse_gradient(f"{node.name()}: backward gave for input {i}", given, edge)
                dx = <Tensor>given
                known = len(pending)
                value = PyDict_SetDefault(pending, edge, dx)
                if len(pending) == known:
                    pending[edge] = ops.add(<Tensor>value, dx)
                else:
                    if isinstance(edge, Node):
                        if newest is None:
                            newest = <Node>edge
                        elif newest.seq < (<Node>edge).seq:
                            queue.append(newest)
                            newest = <Node>edge
                        else:
                            enqueue(queue, <Node>edge)
                    elif (<Tensor>edge).hooks is not None:
                        hooked = True
            if not (retain_graph or pyml_retains_graphs):
                node.freed = node.freed or node.kept is not None
                node.kept = node.later_versions = None
            grads = None
        grad = dx = given = None

        # only leaves are left in `pending`
        if hooked:
            for edge in pending:
                leaf = edge
                if leaf.hooks is None:
                    continue
                pending[edge] = run_hooks(leaf.hooks, pending[edge], leaf)
                if accumulate:
                    pending[edge] = run_hooks(leaf.hooks, pending[edge], leaf, True)
        while PyDict_Next(pending, &at, &key, &value):
            check_accumulates(<Tensor>key, <Tensor>value)
        for edge in wanted:
            if wanted[edge] is not None and not takes(edge, wanted[edge]):
                refuse_gradient(f"backward: {(<Node>edge).name()} has", wanted[edge], edge)
        if not accumulate:
            return tuple([pending.get(leaf) if leaf.node is None else wanted[leaf.node] for leaf in inputs])
        if inputs is not None:
            for leaf in inputs:
                if leaf.node is not None and wanted[leaf.node] is not None:
                    pending[leaf] = wanted[leaf.node]
                    check_accumulates(leaf, pending[leaf])
            pending = {leaf: pending[leaf] for leaf in pending if any([leaf is item for item in inputs])}
        sums = {}   # what may raise comes before the first .grad is another one
        at = 0
        while PyDict_Next(pending, &at, &key, &value):
            (<Tensor>key).note_gradient(False, True)
            if (<Tensor>key)._grad is not None or not only_one_has(value, <PyObject *>(<Tensor>value).array):
                sums[<Tensor>key] = new_gradient(<Tensor>key, <Tensor>value, create_graph)
        leaves = []   # with hooks that run after it
        at = 0
        while PyDict_Next(pending, &at, &key, &value):
            grad = sums.get(<Tensor>key, <Tensor>value) if sums else <Tensor>value
            if grad is None:
                ops.add_((<Tensor>key)._grad, <Tensor>value)
            else:
                (<Tensor>key)._grad = grad
            if (<Tensor>key).hooks is not None:
                leaves.append((<Tensor>key, gradient_for_hooks(<Tensor>key, <Tensor>value)))
        pending = sums = grad = None   # hooks find nobody else with the gradients
        for leaf, given in leaves:
            run_hooks_after(leaf, given)
        return None
    finally:
        switch_grad(before)


cdef Tensor first_gradient(Tensor output, gradient):
    """The gradient that backward starts from, checked."""
    cdef Tensor grad
    if not output._requires_grad:
        raise RuntimeError(
            "backward: the tensor does not require grad and was not computed from one that does (what a recorded step "
            "returns is detached: its backward belongs inside the step)"
        )
    if gradient is None:
        if output.array.size != 1:
            raise RuntimeError(
                f"backward: grad can be implicitly created only for scalar outputs, this one has shape {output.shape}; "
                "pass gradient=, or reduce with .sum() or .mean() first"
            )
        return wrap(new_number(output.array.ndim, output.array.shape, cnp.PyArray_TYPE(output.array), 1))
    if not isinstance(gradient, Tensor):
        raise TypeError(f"backward: gradient must be a Tensor or None, not {type(gradient).__name__}")
    grad = gradient
    if grad.shape != output.shape:
        raise RuntimeError(
            f"backward: Mismatch in shape: gradient has shape {grad.shape}, the tensor has shape {output.shape}")
    return grad if grad.dtype == output.dtype else grad.to(output.dtype)


cdef void enqueue(list queue, Node node) except *:
    """Keeps `queue` sorted by seq, the largest last."""
    cdef Py_ssize_t low = 0, high = len(queue), middle
    while low < high:
        middle = (low + high) >> 1
        if (<Node>queue[middle]).seq < node.seq:
            low = middle + 1
        else:
            high = middle
    queue.insert(low, node)


cdef set edges_towards(set targets, list roots):
    """The nodes below `roots` from which a target is reached, and the targets that are leaves.

    A target that is a node is among them only if it leads to another target: else its backward is not run.
    """
    cdef set seen = set(roots), path = {target for target in targets if not isinstance(target, Node)}
    cdef list stack = list(roots), order
    cdef Node node
    while stack:
        node = stack.pop()
        for edge in node.inputs:
            if isinstance(edge, Node) and edge not in seen:
                seen.add(edge)
                stack.append(edge)
    order = sorted(seen, key=lambda n: (<Node>n).seq)
    for node in order:
        if not node.inputs:   # what a recorded step returned: see Lost
            path.add(node)
        for edge in node.inputs:
            if edge in path or edge in targets:
                path.add(node)
                break
    return path


cdef Tensor run_hooks(list hooks, Tensor grad, object edge, bint of_node=False):
    """The gradient, as hooks of tensors, or with `of_node` those of register_prehook, have changed it."""
    for hook in tuple(hooks):
        if type(hook) is AfterAccumulation or type(hook) is AfterNode or (type(hook) is BeforeNode) != of_node:
            continue
        result = hook(grad)
        if result is not None and not isinstance(result, Tensor):
            refuse_gradient("hook: it gave", result, edge)
        if result is not None:
            grad = result
        if not takes(edge, grad):   # without a result too: the hook may have replaced grad.data
            refuse_gradient("hook: it gave", grad, edge)
    return grad


cdef tuple run_hooks_after_node(Node node, tuple grads, Tensor grad):
    """The gradients of the inputs, as hooks have changed them."""
    for hook in tuple(node.output_hooks):
        if type(hook) is AfterNode:
            refuse("a hook of a node (grad_fn.register_hook)")
            result = hook.hook(grads, (grad,))
            if isinstance(result, Tensor):
                result = (result,)
            if result is not None and (not isinstance(result, tuple) or len(result) != len(grads)):
                raise RuntimeError(
                    f"{node.name()}.register_hook: the hook gave {type(result).__name__}, it must give None or a tuple with "
                    f"a gradient for each of the {len(grads)} inputs")
            grads = grads if result is None else result
    return grads


cdef Tensor gradient_for_hooks(Tensor leaf, Tensor grad):
    """The gradient, if a hook of the leaf's AccumulateGrad asks for it."""
    return grad if any([type(hook) is AfterNode for hook in leaf.hooks]) else None


cdef int run_hooks_after(Tensor leaf, Tensor grad) except -1:
    for hook in tuple(leaf.hooks):
        if type(hook) is AfterNode:
            refuse("a hook of a node (grad_fn.register_hook)")
            hook.hook((), (grad,))
        if type(hook) is AfterAccumulation:
            refuse("a hook of register_post_accumulate_grad_hook()")
            result = hook.hook(leaf)
            if result is not None and result is not leaf:
                raise RuntimeError(
                    f"register_post_accumulate_grad_hook: hooks should return None, this one gave a {type(result).__name__}; "
                    "change the .grad of the tensor that it is given")
    return 0


cdef int check_for_nan(Node node, tuple grads) except -1:
    """Raises for a gradient with NaN that a node gave, and says where the node was made."""
    cdef Py_ssize_t i
    refuse("detect_anomaly")
    for i in range(len(grads)):
        if isinstance(grads[i], Tensor) and node.inputs[i] is not None and np.isnan((<Tensor>grads[i]).array).any():
            made = "before detect_anomaly" if node.made_at is None else f"here:\n{node.made_at}"
            raise RuntimeError(
                f"Function '{node.name()}' returned nan values in its {i}th output, the gradient of input {i}; the operation was "
                f"recorded {made}")
    return 0


cdef Tensor new_gradient(Tensor leaf, Tensor grad, bint create_graph):
    """What leaf.grad is to be when a gradient is added; None: what it is, to which it can be added in place."""
    if leaf._grad is None:
        return ops.clone(grad)
    if create_graph or leaf._grad._requires_grad:
        return ops.add(leaf._grad, grad)
    why = unwritable(leaf._grad.array)
    if why is not None:
        raise ArgumentError(f"backward: the .grad of a tensor of shape {leaf.shape} {why}, and nothing can be added; set it to None")
    return None
