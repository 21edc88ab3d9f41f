"""Derivatives of functions: products with the Jacobian and the Hessian, and these themselves."""

from pyml.backward import run_backward
from pyml.grad_mode import enable_grad
from pyml.ops import cat, ones_like, reshape, zeros, zeros_like
from pyml.options import check_choice
from pyml.tensor import Node, Tensor

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """The product v^T J of a vector and the Jacobian of a function.

    Args:
        func: a function of tensors that returns a tensor or a tuple of tensors.
        inputs: its arguments, a tensor or a tuple.
        v: of the shapes of the outputs; may be left out for a single element.
        create_graph: record it all, so that it can be differentiated by the inputs.
        strict: an output that does not depend on an input is an error; else its gradient is zero.
            With create_graph, a gradient that does not is an error, too.

    Returns:
        The outputs, and the product: a tensor or a tuple, as the inputs are.

    Raises:
        TypeError: for what are no tensors.
        RuntimeError: for a v of other shapes; with strict, if an output does not depend on an
            input.

    Example:
        >>> pyml.autograd.functional.vjp(lambda x: x * x, pyml.tensor([1.0, 2.0]), pyml.ones(2))
        (tensor([1., 4.]), tensor([2., 4.]))
    """
    with enable_grad():
        single, inputs = tensors_of(inputs, "inputs", "vjp")
        inputs = sources(inputs, create_graph)
        one, outputs = results_of(func, inputs, "vjp", strict)
        v = vectors(v, outputs, one, "vjp", "output")
        products = slopes(outputs, inputs, v, create_graph, strict)
    return packed(outputs, one, create_graph), packed(products, single, create_graph)


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """The product J v of the Jacobian of a function and a vector, by two backwards.

    Args:
        v: of the shapes of the inputs; may be left out for a single element.

    The others, what is returned and raised: see vjp. The product is as the outputs are.

    Example:
        >>> pyml.autograd.functional.jvp(lambda x: x * x, pyml.tensor([1.0, 2.0]), pyml.ones(2))
        (tensor([1., 4.]), tensor([2., 4.]))
    """
    with enable_grad():
        single, inputs = tensors_of(inputs, "inputs", "jvp")
        v = vectors(v, inputs, single, "jvp", "input")
        inputs = sources(inputs, create_graph)
        one, outputs = results_of(func, inputs, "jvp", strict)
        u, products = transposed(outputs, inputs, strict)
        products = slopes(products, u, v, create_graph, strict)
    return packed(outputs, one, create_graph), packed(products, one, create_graph)


def jacobian(
    func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"
):
    """The Jacobian of a function: [i][j] holds d output / d input, shape output + shape input.

    Args:
        vectorize: taken for its name: there is one way to compute it.
        strategy: "reverse-mode": one backward for each element of the outputs; "forward-mode": one
            product J v, see jvp, for each element of the inputs; not with strict.

    The others, what is raised: see vjp.

    Returns:
        A tensor for one output and one input; a tuple of them for several of one kind; a tuple
        with a tuple for each output for several of both.

    Example:
        >>> pyml.autograd.functional.jacobian(lambda x: x * x, pyml.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """
    check_choice("jacobian", "strategy", strategy, tuple(BLOCKS))
    if strict and (vectorize or strategy == "forward-mode"):
        other = "vectorize=True" if vectorize else "strategy='forward-mode'"
        raise RuntimeError(f"jacobian: strict=True and {other} are not supported together")
    with enable_grad():
        single, inputs = tensors_of(inputs, "inputs", "jacobian")
        inputs = sources(inputs, create_graph)
        one, outputs = results_of(func, inputs, "jacobian", strict)
        rows = tuple([BLOCKS[strategy](y, inputs, create_graph, strict) for y in outputs])
    rows = tuple([packed(row, single, create_graph) for row in rows])
    return rows[0] if one else rows


def rows_of(output, inputs, create_graph, strict):
    """For each input, the Jacobian of one output."""
    rows = [[] for _ in inputs]
    for i in range(output.numel()):
        element = reshape(output, (-1,))[i]
        products = slopes((element,), inputs, (None,), create_graph, strict)
        for row, dx in zip(rows, products, strict=True):
            row.append(reshape(dx, (1, *dx.shape)))
    return tuple(
        [
            reshape(cat(row), output.shape + x.shape)
            if row
            else zeros(output.shape + x.shape, dtype=x.dtype)
            for row, x in zip(rows, inputs, strict=True)
        ]
    )


def columns_of(output, inputs, create_graph, strict):
    """The same by columns: the products with each element of a basis of the inputs."""
    u, products = transposed((output,), inputs, strict)
    blocks = []
    for i, x in enumerate(inputs):
        columns = []
        for k in range(x.numel()):
            v = zeros(x.numel(), dtype=x.dtype)
            v[k] = 1
            (column,) = gradients(
                products[i : i + 1], u, (reshape(v, x.shape),), create_graph, strict
            )
            columns.append(reshape(column, (*output.shape, 1)))
        whole = cat(columns, -1) if columns else zeros((*output.shape, 0), dtype=x.dtype)
        blocks.append(reshape(whole, output.shape + x.shape))
    return tuple(blocks)


BLOCKS = {"reverse-mode": rows_of, "forward-mode": columns_of}


def hessian(
    func,
    inputs,
    create_graph=False,
    strict=False,
    vectorize=False,
    outer_jacobian_strategy="reverse-mode",
):
    """The Hessian of a function with one number: [i][j] holds d2 f / d input i d input j.

    Args:
        outer_jacobian_strategy: as strategy of jacobian: rows, or columns, which are the same.

    The others, what is raised: see jacobian; that of a linear function is zero, or with strict an
    error.

    Returns:
        A tensor for one input, else a tuple with a tuple for each.

    Example:
        >>> pyml.autograd.functional.hessian(lambda x: (x**3).sum(), pyml.tensor([1.0, 2.0]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """
    single, inputs = tensors_of(inputs, "inputs", "hessian")

    def first(*inputs):
        one, outputs = results_of(func, inputs, "hessian", strict)
        check_number(one, outputs, "hessian")
        return slopes(outputs, inputs, (None,), True, strict)

    rows = jacobian(first, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)
    return rows[0][0] if single else rows


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """The product v^T H of a vector and the Hessian of a function with one number.

    Args:
        v: of the shapes of the inputs; may be left out for a single element.

    The others, what is returned and raised: see vjp.

    Example:
        >>> x = pyml.tensor([1.0, 2.0])
        >>> pyml.autograd.functional.vhp(lambda x: (x**3).sum(), x, pyml.ones(2))
        (tensor(9.), tensor([ 6., 12.]))
    """
    with enable_grad():
        single, inputs = tensors_of(inputs, "inputs", "vhp")
        v = vectors(v, inputs, single, "vhp", "input")
        inputs = sources(inputs, create_graph)
        one, outputs = results_of(func, inputs, "vhp", strict)
        check_number(one, outputs, "vhp")
        first = slopes(outputs, inputs, (None,), True, strict)
        products = slopes(first, inputs, v, create_graph, strict, "hessian")
    return packed(outputs, True, create_graph), packed(products, single, create_graph)


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """The product H v of the Hessian of a function with one number and a vector.

    H is symmetric: where the second derivatives are continuous, this is vhp.

    Args:
        v: of the shapes of the inputs; may be left out for a single element.

    The others, what is returned and raised: see vjp.

    Example:
        >>> x = pyml.tensor([1.0, 2.0])
        >>> pyml.autograd.functional.hvp(lambda x: (x**3).sum(), x, pyml.ones(2))
        (tensor(9.), tensor([ 6., 12.]))
    """
    with enable_grad():
        single, inputs = tensors_of(inputs, "inputs", "hvp")
        v = vectors(v, inputs, single, "hvp", "input")
        inputs = sources(inputs, create_graph)
        one, outputs = results_of(func, inputs, "hvp", strict)
        check_number(one, outputs, "hvp")
        u = (ones_like(outputs[0], requires_grad=True),)
        first = slopes(outputs, inputs, u, True, strict, own=u)
        w = tuple([zeros_like(x, requires_grad=True) for x in inputs])
        products = gradients(first, inputs, w, True, strict)
        products = slopes(products, w, v, create_graph, strict, "hessian", own=u + w)
    return packed(outputs, True, create_graph), packed(products, single, create_graph)


# ---- what they share -----------------------------------------------------------------------------


def transposed(outputs, inputs, strict):
    """(u, u^T J) with u of the outputs: linear in u, so its derivative by u, times v, is J v."""
    u = tuple([zeros_like(y, requires_grad=True) for y in outputs])
    return u, gradients(outputs, inputs, u, True, strict)


def tensors_of(values, what, name):
    """(whether it is a single one, a tuple of Tensors)."""
    single = not isinstance(values, tuple)
    values = (values,) if single else values
    for i, value in enumerate(values):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"{name}: The {what} given to {name} must be either a Tensor or a tuple of Tensors;"
                f" number {i} is of type {type(value).__name__}"
            )
    return single, values


def sources(inputs, create_graph):
    """The inputs as tensors of their own, so that what func captures is told apart."""
    return tuple(
        [
            x.view_as(x) if create_graph and x.requires_grad else x.detach().requires_grad_()
            for x in inputs
        ]
    )


def results_of(func, inputs, name, strict):
    one, outputs = tensors_of(func(*inputs), "outputs of the user-provided function", name)
    for i, y in enumerate(outputs):
        if strict and not y.requires_grad:
            raise RuntimeError(
                f"{name}: Output {i} of the user-provided function does not require gradients. "
                "With strict=True it must be computed from the inputs in a differentiable way"
            )
    return one, outputs


def check_number(one, outputs, name):
    if not one:
        raise RuntimeError(
            f"{name}: The function given to {name} should return a single Tensor, not a tuple"
        )
    if outputs[0].numel() != 1:
        raise RuntimeError(
            f"{name}: The Tensor returned by the function given to {name} should contain a single "
            f"element, not shape {outputs[0].shape}"
        )


def vectors(v, like, single, name, what):
    """v, checked: a tensor for each of `like`."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            only = "the user-provided function returns"
            if what == "input":
                only = "the input to the user-provided function is"
            raise RuntimeError(
                f"{name}: The vector v can only be None if {only} a single Tensor with one "
                f"element; give a tensor for each {what}"
            )
        return (ones_like(like[0]),)
    _, v = tensors_of(v, "v", name)
    if len(v) != len(like):
        raise RuntimeError(
            f"{name}: v is a tuple of invalid length: should be {len(like)}, one for each {what}, "
            f"but got {len(v)}"
            if len(like) > 1
            else f"{name}: The given v should contain a single Tensor, not {len(v)}"
        )
    for i, (a, b) in enumerate(zip(v, like, strict=True)):
        if a.shape != b.shape:
            raise RuntimeError(
                f"{name}: v has invalid size: should be {b.shape} as {what} {i}, but got {a.shape}"
            )
    return v


def gradients(outputs, inputs, weights, create_graph, strict):
    """Those of the outputs by the inputs; zeros where there is none, or with strict an error."""
    kept = [(y, w) for y, w in zip(outputs, weights, strict=True) if y.requires_grad]
    results = (None,) * len(inputs)
    if kept:
        ys, ws = zip(*kept, strict=True)
        results = run_backward(ys, ws, True, create_graph, inputs, False)
    for i, dx in enumerate(results):
        if strict and dx is None:
            raise RuntimeError(
                f"The output of the user-provided function is independent of input {i}, or its "
                "derivative is, which strict=True forbids"
            )
    return tuple(
        [zeros_like(x) if dx is None else dx for x, dx in zip(inputs, results, strict=True)]
    )


def slopes(outputs, inputs, weights, create_graph, strict, name="jacobian", own=()):
    """gradients(); where they can be differentiated, strict forbids that they are constant.

    Args:
        name: of what is made of them, for the message. Default: "jacobian".
        own: tensors by which a derivative does not count. Default: none.
    """
    products = gradients(outputs, inputs, weights, create_graph, strict)
    if not (create_graph and strict):
        return products
    own = {id(x) for x in own}
    for i, dx in enumerate(products):
        if not leads_out(dx, own):
            raise RuntimeError(
                f"The {name} of the user-provided function is independent of input {i}, which "
                "strict=True forbids where its derivatives are asked for"
            )
    return products


def leads_out(tensor, own):
    """Whether what computed a tensor leads to a leaf that requires grad, of no id in `own`."""
    if not tensor.requires_grad:
        return False
    edges, seen = [tensor if tensor.is_leaf else tensor.grad_fn], set()
    while edges:
        edge = edges.pop()
        if isinstance(edge, Node):
            if edge.seq not in seen:
                seen.add(edge.seq)
                edges += edge.inputs
        elif edge is not None and id(edge) not in own:
            return True
    return False


def packed(tensors, single, create_graph):
    """As the caller gave or computed them; outside the graph unless it is wanted."""
    tensors = tensors if create_graph else tuple([t.detach() for t in tensors])
    return tensors[0] if single else tensors
