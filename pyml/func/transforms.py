"""Derivatives of functions, as functions that may be differentiated again.

A call that differentiates gives the function tensors of its own in place of the arguments, so that
what the function captures, and what an outer call differentiates by, is told apart. A result is in
a graph where that leads to a tensor outside that requires grad, and gradients are recorded there.
"""

import functools

from pyml.autograd import functional
from pyml.autograd.functional import columns_of, gradients, rows_of, sources, transposed
from pyml.errors import ArgumentError, DtypeError
from pyml.func.batched import innermost, own
from pyml.grad_mode import enable_grad, is_grad_enabled
from pyml.options import check_integer
from pyml.pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten
from pyml.tensor import Tensor

__all__ = [
    *("grad", "grad_and_value", "value_and_grad", "vjp", "jvp", "linearize"),
    *("jacrev", "jacfwd", "jacobian", "hessian", "hvp", "vhp"),
]

hvp, vhp, jacobian = functional.hvp, functional.vhp, functional.jacobian


class Trace:
    """One call of a function, with tensors of its own to differentiate by.

    Attributes:
        primals: the arguments to differentiate by, a tree.
        inputs: the tensors that stand for their leaves.
        output, outputs: what the function returned, and its leaves.
        aux: what it returned beside that, outside the graph of this call; None without has_aux.
    """

    def __init__(self, who, func, args, kwargs, argnums, has_aux):
        self.who, self.recorded = who, is_grad_enabled()
        places = places_of(who, argnums, len(args))
        chosen = [args[i] for i in places]
        self.primals = chosen[0] if isinstance(argnums, int) else tuple(chosen)
        tensors = tensors_in(chosen, who, "an argument to differentiate by")
        with enable_grad():
            self.inputs = sources(tuple(map(own, tensors)), self.recorded)
            self.own = {id(innermost(x)) for x in self.inputs if x.is_leaf}
            args = list(args)
            for i, value in zip(places, rebuilt(chosen, self.inputs), strict=True):
                args[i] = value
            self.output, self.aux = func(*args, **kwargs), None
        if has_aux:
            self.output, aux = pair_of(who, self.output)
            self.aux = self.closed(aux)
        self.outputs = tuple(tensors_in(self.output, who, "what func returns"))

    def keeps(self, tensors):
        """Whether derivatives of these are wanted outside: they lead to a tensor there."""
        return self.recorded and any(leads_out(t, self.own) for t in tensors)

    def closed(self, tree):
        """The tree with its tensors outside the graph, but those that lead out of this call."""
        return tree_map(
            lambda t: t.detach() if isinstance(t, Tensor) and not self.keeps([t]) else t, tree
        )

    def pullback(self, weights):
        """The gradients of the outputs, each times its weight, as the tree of the primals."""
        graph = is_grad_enabled() and self.keeps((*self.outputs, *weights))
        with enable_grad():
            products = gradients(self.outputs, self.inputs, weights, graph, False)
        return self.closed(rebuilt(self.primals, products))

    def number(self):
        """The output, which must be one number."""
        if not isinstance(self.output, Tensor) or self.output.dim() != 0:
            got = shown(self.output)
            raise RuntimeError(
                f"{self.who}: func must return a tensor with no dimension, not {got}; "
                "reduce it with .sum() or .mean(), or use jacrev for all its elements"
            )
        return self.output

    def pushforward(self):
        """tangents -> the Jacobian times them, as the tree of the output."""
        with enable_grad():
            u, products = transposed(self.outputs, self.inputs, False)
            self.own |= {id(innermost(t)) for t in u}

        def push(tangents):
            graph = is_grad_enabled() and self.keeps((*products, *tangents))
            with enable_grad():
                results = gradients(products, u, tangents, graph, False)
            return self.closed(rebuilt(self.output, results))

        return push

    def jacobian(self, blocks_of):
        """The tree of the output, with the tree of the primals in place of each leaf."""
        with enable_grad():
            graph = self.keeps(self.outputs)
            rows = [blocks_of(y, self.inputs, graph, False) for y in self.outputs]
        rows = [rebuilt(self.primals, row) for row in rows]
        return self.closed(rebuilt(self.output, rows))


def places_of(who, argnums, count):
    """The places of the arguments to differentiate by."""
    single = not isinstance(argnums, (tuple, list))
    places = (argnums,) if single else tuple(argnums)
    if not places:
        raise ArgumentError(f"{who}: argnums is {argnums!r}, it must name an argument")
    for place in places:
        check_integer(who, "argnums", place)
        if not -count <= place < count:
            raise ArgumentError(f"{who}: argnums is {argnums}, func was given {count} arguments")
    places = tuple(place % count for place in places)
    if len(set(places)) != len(places):
        raise ArgumentError(f"{who}: argnums is {argnums}, which names an argument twice")
    return places


def rebuilt(tree, leaves):
    """The same tree with these leaves."""
    return tree_unflatten(leaves, tree_flatten(tree)[1])


def tensors_in(tree, who, what):
    """The leaves of a tree, which must be floating-point tensors, one at least."""
    found = tree_leaves(tree)
    for leaf in found:
        if not isinstance(leaf, Tensor):
            raise TypeError(
                f"{who}: {what} is or has a {type(leaf).__name__}; it must be a Tensor, or a "
                "tuple, list or dict of Tensors"
            )
        if not leaf.is_floating_point():
            raise DtypeError(f"{who}: {what} has dtype {leaf.dtype}; only float32 and float64 "
                            "have derivatives: x.double() converts it")  # fmt: skip
    if not found:
        raise ArgumentError(f"{who}: {what} has no Tensor")
    return found


def pair_of(who, result):
    if not (isinstance(result, tuple) and len(result) == 2):
        raise RuntimeError(
            f"{who}: with has_aux=True func must return (output, aux), not {shown(result)}"
        )
    return result


def shown(value):
    """What a function returned, for messages."""
    return f"one of shape {value.shape}" if isinstance(value, Tensor) else f"{value!r}"


def leads_out(tensor, own):
    """functional.leads_out of a tensor of vmaps."""
    return functional.leads_out(innermost(tensor), own)


def matching(who, what, values, like):
    """The leaves of `values`, which must have the form and the shapes of those of `like`."""
    wanted, form = tree_flatten(like)
    try:
        found = tuple(form.flatten_up_to(values))
    except ValueError:
        raise ArgumentError(f"{who}: {what} must be a tree of tensors as {shapes_of(like)}, "
                         f"not {shapes_of(values)}") from None  # fmt: skip
    for a, b in zip(found, wanted, strict=True):
        if not isinstance(a, Tensor) or a.shape != b.shape or a.dtype != b.dtype:
            raise ArgumentError(
                f"{who}: {what} has {describe(a)}, where shape {tuple(b.shape)} and dtype "
                f"{b.dtype} are needed"
            )
    return found


def shapes_of(tree):
    return tree_map(lambda t: tuple(t.shape) if isinstance(t, Tensor) else type(t).__name__, tree)


def describe(value):
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    return f"shape {tuple(value.shape)} and dtype {value.dtype}"


def derived(who, argnums, has_aux, result_of):
    """A transform: func -> the function whose result is result_of(Trace of a call)."""

    def transform(func):
        @functools.wraps(func)
        def call(*args, **kwargs):
            return result_of(Trace(who, func, args, kwargs, argnums, has_aux))

        return call

    return transform


def with_aux(result, trace, has_aux):
    return (result, trace.aux) if has_aux else result


# ---- gradients -----------------------------------------------------------------------------------


def grad(func, argnums=0, has_aux=False):
    """The function that computes the gradient of `func`, which returns one number.

    Args:
        func: a function of tensors, or of tuples, lists and dicts of them, that returns a tensor
            with no dimension.
        argnums: the place of the argument to differentiate by, or a tuple of places. Default: 0.
        has_aux: func returns (output, aux), and the gradient comes as (gradient, aux).

    Returns:
        A function of the same arguments; its result has the form of the argument, or is a tuple of
        such. It may be differentiated again: grad(grad(f)).

    Raises:
        RuntimeError: when called, if func returns something else.
        TypeError, ValueError: when called, if an argument named is not there, or has no
            floating-point tensors.

    Example:
        >>> pyml.func.grad(lambda x: x**3)(pyml.tensor(2.0))
        tensor(12.)
        >>> pyml.func.grad(pyml.func.grad(lambda x: x**3))(pyml.tensor(2.0))
        tensor(12.)
    """

    def result(trace):
        return with_aux(trace.pullback((ones_for(trace),)), trace, has_aux)

    return derived("grad", argnums, has_aux, result)(func)


def grad_and_value(func, argnums=0, has_aux=False):
    """The function that computes (gradient, value) of `func`.

    With has_aux the result is (gradient, (value, aux)). Arguments as for grad.
    """

    def result(trace):
        gradient = trace.pullback((ones_for(trace),))
        return gradient, with_aux(trace.closed(trace.output), trace, has_aux)

    return derived("grad_and_value", argnums, has_aux, result)(func)


def value_and_grad(func, argnums=0, has_aux=False):
    """The function that computes (value, gradient) of `func`, the order of JAX.

    With has_aux the result is ((value, aux), gradient). Arguments as for grad.

    Example:
        >>> pyml.func.value_and_grad(lambda x: x**3)(pyml.tensor(2.0))
        (tensor(8.), tensor(12.))
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def call(*args, **kwargs):
        gradient, value = both(*args, **kwargs)
        return value, gradient

    return call


def ones_for(trace):
    return trace.number().new_ones(())


# ---- products with the Jacobian ------------------------------------------------------------------


def vjp(func, *primals, has_aux=False):
    """The result of `func`, and the function that multiplies a vector with its Jacobian: v^T J.

    Args:
        func: a function of tensors, or of tuples, lists and dicts of them, that returns such.
        primals: its arguments.
        has_aux: func returns (output, aux), and aux is the third result.

    Returns:
        (output, vjp_fn): vjp_fn(v), with v of the form of the output, may be called repeatedly;
        its result is a tuple, with an item of the form of each argument.

    Example:
        >>> y, vjp_fn = pyml.func.vjp(pyml.sin, pyml.zeros(2))
        >>> vjp_fn(pyml.tensor([1.0, 3.0]))
        (tensor([1., 3.]),)
    """
    trace = Trace("vjp", func, primals, {}, all_places(primals), has_aux)

    def vjp_fn(v):
        return trace.pullback(matching("vjp_fn", "v", v, trace.output))

    results = trace.closed(trace.output), vjp_fn
    return (*results, trace.aux) if has_aux else results


def jvp(func, primals, tangents, *, strict=False, has_aux=False):
    """The result of `func`, and the product J v of its Jacobian with a vector.

    By two backwards: u^T J is linear in u, and its derivative by u, times v, is J v.

    Args:
        func: as for vjp.
        primals: a tuple of its arguments.
        tangents: v, a tuple of the same form.
        strict: an output that does not depend on the primals is an error; else its product is zero.
        has_aux: func returns (output, aux), and aux is the third result.

    Raises:
        RuntimeError: with strict, for such an output.

    Example:
        >>> pyml.func.jvp(pyml.sin, (pyml.zeros(2),), (pyml.tensor([1.0, 3.0]),))
        (tensor([0., 0.]), tensor([1., 3.]))
    """
    for name, value in (("primals", primals), ("tangents", tangents)):
        if not isinstance(value, tuple):
            raise TypeError(
                f"jvp: {name} is a {type(value).__name__}, it must be a tuple, with one item for "
                "each argument of func"
            )
    tensors_in(primals, "jvp", "primals")
    tangents = matching("jvp", "tangents", tangents, primals)
    trace = Trace("jvp", func, primals, {}, all_places(primals), has_aux)
    if strict and not all(y.requires_grad for y in trace.outputs):
        raise RuntimeError(
            "jvp: an output was not computed from the primals in a differentiable way, which "
            "strict=True asks for"
        )
    results = trace.closed(trace.output), trace.pushforward()(tangents)
    return (*results, trace.aux) if has_aux else results


def linearize(func, *primals):
    """The result of `func`, and the function v -> J v, which does not run func again.

    Arguments as for vjp; the function takes a tangent for each primal.

    Example:
        >>> y, jvp_fn = pyml.func.linearize(pyml.sin, pyml.zeros(2))
        >>> jvp_fn(pyml.tensor([1.0, 3.0]))
        tensor([1., 3.])
    """
    trace = Trace("linearize", func, primals, {}, all_places(primals), False)
    push = trace.pushforward()

    def jvp_fn(*tangents):
        return push(matching("jvp_fn", "tangents", tangents, primals))

    return trace.closed(trace.output), jvp_fn


def all_places(primals):
    return tuple(range(len(primals)))


# ---- Jacobians and Hessians ----------------------------------------------------------------------


def jacrev(func, argnums=0, *, has_aux=False, chunk_size=None):
    """The function that computes the Jacobian of `func`, by one backward for each output element.

    Args:
        func: a function of tensors, or of tuples, lists and dicts of them, that returns such.
        argnums: the place of the argument to differentiate by, or a tuple of places. Default: 0.
        has_aux: func returns (output, aux), and the Jacobian comes as (Jacobian, aux).
        chunk_size: taken for its name: elements are taken one after another.

    Returns:
        A function of the same arguments. Its result has the form of the output, and in place of
        each leaf the form of the argument (a tuple of them for several places) with
        d output / d argument, of shape output + argument.

    Example:
        >>> pyml.func.jacrev(lambda x: x * x)(pyml.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """
    check_chunks("jacrev", chunk_size)

    def result(trace):
        return with_aux(trace.jacobian(rows_of), trace, has_aux)

    return derived("jacrev", argnums, has_aux, result)(func)


def jacfwd(func, argnums=0, has_aux=False, *, chunk_size=None, randomness="error"):
    """The function that computes the Jacobian of `func`, by one product J v for each input element.

    Each product is a backward of a backward, see jvp. Arguments, and what is returned: see jacrev.

    Args:
        randomness: taken for its name: func runs once.

    Example:
        >>> pyml.func.jacfwd(lambda x: x * x)(pyml.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """
    check_chunks("jacfwd", chunk_size)

    def result(trace):
        return with_aux(trace.jacobian(columns_of), trace, has_aux)

    return derived("jacfwd", argnums, has_aux, result)(func)


def hessian(func, argnums=0):
    """The function that computes the Hessian of `func`: jacrev(jacrev(func)).

    Arguments as for jacrev. The result of a function with one number and one tensor of shape s has
    shape s + s; for a tuple of places it is a tuple of tuples.

    Example:
        >>> pyml.func.hessian(lambda x: (x**3).sum())(pyml.tensor([1.0, 2.0]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """
    return jacrev(jacrev(func, argnums), argnums)


def check_chunks(who, chunk_size):
    if chunk_size is not None:
        check_integer(who, "chunk_size", chunk_size)
        if chunk_size < 1:
            raise ArgumentError(f"{who}: chunk_size is {chunk_size}, it must be >= 1")
