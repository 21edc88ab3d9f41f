"""Products of tensors: outer, inner, sums of products by a formula, with something added."""

import math
from string import ascii_lowercase, ascii_uppercase

import numpy as np

from pyml.errors import ArgumentError
from pyml.ops.arrays import checked_tensor
from pyml.ops.matmul import bmm, dot, matmul, mm, mv
from pyml.ops.operands import broadcast_shapes, cast, result_type
from pyml.ops.reduce import sum
from pyml.ops.shape import (
    as_sizes,
    expand,
    integer,
    permute,
    reshape,
    several,
    unsqueeze,
    wrapped_dim,
)
from pyml.tensor import Tensor


def outer(input, vec2):
    """The products of all elements of one vector with all of another: (n, m)."""
    checked_tensor(input, "outer")
    checked_tensor(vec2, "outer", "vec2")
    if input.ndim != 1 or vec2.ndim != 1:
        raise ArgumentError(f"outer: shapes {input.shape} and {vec2.shape}; both must be vectors")
    return unsqueeze(input, 1) * vec2


ger = outer


def inner(input, other):
    """The products along the last dimensions, summed."""
    checked_tensor(input, "inner")
    checked_tensor(other, "inner", "other")
    if input.ndim == 0 or other.ndim == 0:
        return input * other
    if input.shape[-1] != other.shape[-1]:
        raise ArgumentError(f"inner: shapes {input.shape} and {other.shape}; the last sizes differ")
    return tensordot(input, other, ([-1], [-1]))


def vdot(input, other):
    """The sum of the products of two vectors."""
    return dot(input, other)


def vecdot(x, y, *, dim=-1):
    """The sums of the products along `dim`."""
    return sum(checked_tensor(x, "vecdot", "x") * checked_tensor(y, "vecdot", "y"), dim)


def kron(input, other):
    """The Kronecker product: every element of the input times the whole of other."""
    checked_tensor(input, "kron")
    checked_tensor(other, "kron", "other")
    ndim = max(input.ndim, other.ndim)
    a, b = ((1,) * (ndim - x.ndim) + x.shape for x in (input, other))
    left = reshape(input, [n for size in a for n in (size, 1)])
    right = reshape(other, [n for size in b for n in (1, size)])
    return reshape(left * right, [m * n for m, n in zip(a, b, strict=True)])


def cross(input, other, dim=None):
    """The cross product of vectors of 3 along `dim`.

    Args:
        dim: Default: None, the first dimension of size 3.
    """
    checked_tensor(input, "cross")
    checked_tensor(other, "cross", "other")
    shape = broadcast_shapes(input.shape, other.shape, name="cross")
    if dim is None:
        if 3 not in shape:
            raise ArgumentError(f"cross: no dimension of shape {shape} has size 3")
        dim = shape.index(3)
    dim = wrapped_dim(dim, len(shape), "cross")
    sizes = [((1,) * (len(shape) - x.ndim) + x.shape)[dim] for x in (input, other) if shape]
    if sizes != [3, 3]:
        raise ArgumentError(
            f"cross: dimension {dim} of input and other must have size 3, not {sizes}"
        )
    a, b = expand(input, shape), expand(other, shape)
    return a.roll(-1, dim) * b.roll(-2, dim) - a.roll(-2, dim) * b.roll(-1, dim)


def tensordot(a, b, dims=2):
    """The products of two tensors, summed over pairs of dimensions.

    Args:
        dims: how many of the last of a and the first of b; or two lists of dimensions. One of
            size 1 stands for as many equal ones as the other has.
    """
    checked_tensor(a, "tensordot", "a")
    checked_tensor(b, "tensordot", "b")
    if isinstance(dims, (tuple, list)):
        if len(dims) != 2:
            raise ArgumentError(f"tensordot: dims is {dims!r}, it must be a number or two lists")
        of_a, of_b = (dims_of(x, of_x) for x, of_x in zip((a, b), dims, strict=True))
    else:
        if isinstance(dims, bool) or not isinstance(dims, int):
            raise TypeError(f"tensordot: dims is {dims!r}, it must be a number or two lists")
        if not 0 <= dims <= min(a.ndim, b.ndim):
            raise ArgumentError(f"tensordot: dims is {dims}, shapes are {a.shape} and {b.shape}")
        of_a, of_b = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    if len(of_a) == len(of_b):
        pairs = [(i, j, a.shape[i], b.shape[j]) for i, j in zip(of_a, of_b, strict=True)]
        a_alone = [i for i, _, m, n in pairs if m != n and n == 1]
        b_alone = [j for _, j, m, n in pairs if m != n and m == 1]
        a = sum(a, a_alone, keepdim=True, dtype=a.dtype) if a_alone else a
        b = sum(b, b_alone, keepdim=True, dtype=b.dtype) if b_alone else b
    sizes = [a.shape[d] for d in of_a]
    if len(set(of_a)) != len(of_a) or sizes != [b.shape[d] for d in of_b]:
        raise ArgumentError(
            f"tensordot: dimensions {of_a} of shape {a.shape} and {of_b} of {b.shape} do not match"
        )
    rest_a = [d for d in range(a.ndim) if d not in of_a]
    rest_b = [d for d in range(b.ndim) if d not in of_b]
    shape = [a.shape[d] for d in rest_a] + [b.shape[d] for d in rest_b]
    k = math.prod(sizes)
    dtype = result_type(a, b, name="tensordot")
    left = reshape(permute(cast(a, dtype), rest_a + of_a), (size_of(a, rest_a), k))
    right = reshape(permute(cast(b, dtype), of_b + rest_b), (k, size_of(b, rest_b)))
    return reshape(mm(left, right), shape)


def dims_of(x, dims):
    dims = as_sizes(dims, "tensordot")
    if dims and x.ndim == 0:
        raise IndexError(f"tensordot: dims are {dims} of a tensor without dimensions")
    return [wrapped_dim(d, x.ndim, "tensordot") for d in dims]


def size_of(x, dims):
    return math.prod(x.shape[d] for d in dims)


# ---- einsum --------------------------------------------------------------------------------------


def einsum(equation, *operands):
    """Sums of products by Einstein's convention: a letter names a dimension of each operand.

    Args:
        equation: "ij,jk->ik"; what is not right of the arrow is summed over. Without an arrow, the
            letters that stand once, in the order of the alphabet. "..." are dimensions that
            broadcast.
        operands: tensors, or one list of them.

    Without an equation a list of numbers below 52 follows each tensor, in place of letters, and
    one for the result may end them: einsum(x, [0, 1], y, [1, 2], [0, 2]); ... is as above.

    Example:
        >>> pyml.einsum("ij,j->i", pyml.ones(2, 3), pyml.arange(3.0))
        tensor([3., 3.])
    """
    if isinstance(equation, Tensor):
        equation, operands = by_letters(equation, *operands)
    if not isinstance(equation, str):
        raise TypeError(f"einsum: equation is a {type(equation).__name__}, it must be a string")
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = operands[0]
    operands = several(operands, "einsum")
    inputs, output, sizes = letters_of(equation, operands)
    dtype = result_type(*operands, name="einsum")
    terms = [
        diagonals(cast(x, dtype), letters) for x, letters in zip(operands, inputs, strict=True)
    ]
    x, letters = terms[0]
    later = [set(names) for _, names in terms[1:]]
    x, letters = summed_out(x, letters, set(output).union(*later))
    for i, (y, names) in enumerate(terms[1:], 1):
        kept = set(output).union(*later[i:])
        y, names = summed_out(y, names, kept | set(letters))
        x, letters = multiplied(x, letters, y, names, kept)
    x = permute(x, [letters.index(c) for c in output]) if letters != list(output) else x
    shape = [sizes[c] for c in output]
    return x if list(x.shape) == shape else expand(x, shape)


LETTERS = ascii_uppercase + ascii_lowercase  # as they are ordered where the result is not said


def by_letters(*arguments):
    """The equation and the operands of x, [0, 1], y, [1, 2], [0, 2]."""
    texts = [spelled(numbers) for numbers in arguments[1::2]]
    equation = ",".join(texts)
    if len(arguments) % 2:
        equation += "->" + spelled(arguments[-1])
    return equation, arguments[:-1:2] if len(arguments) % 2 else arguments[::2]


def spelled(numbers):
    """Letters for the numbers of dimensions."""
    if not isinstance(numbers, (list, tuple)):
        raise TypeError(
            f"einsum: {type(numbers).__name__} where a list of numbers of dimensions is due, one "
            "behind each tensor"
        )
    text = ""
    for n in numbers:
        if n is ...:
            text += "..."
            continue
        n = integer(n, "einsum: the number of a dimension")
        if not 0 <= n < len(LETTERS):
            raise ArgumentError(f"einsum: {n} in {numbers}; dimensions have numbers from 0 to 51")
        text += LETTERS[n]
    return text


def letters_of(equation, operands):
    """Names of the dimensions of each operand and of the result, and their sizes.

    Those of "..." are numbers, counted from the last.
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    texts = left.split(",")
    if len(texts) != len(operands):
        raise ArgumentError(
            f"einsum: {equation!r} is for {len(texts)} operands, {len(operands)} are given"
        )
    inputs, most, sizes = [], 0, {}
    for text, x in zip(texts, operands, strict=True):
        before, dots, after = text.partition("...")
        if not (before + after).isalpha() and before + after:
            raise ArgumentError(
                f"einsum: {text!r} in {equation!r}; letters and one ... are allowed"
            )
        extra = x.ndim - len(before) - len(after)
        if extra < 0 or (extra and not dots):
            raise ArgumentError(
                f"einsum: {text!r} in {equation!r} is for another number of dimensions than those "
                f"of shape {x.shape}"
            )
        most = max(most, extra)
        names = [*before, *range(extra - 1, -1, -1), *after] if dots else [*text]
        for name, size in zip(names, x.shape, strict=True):
            known = sizes.setdefault(name, size)
            if known == 1:
                sizes[name] = size
            elif size not in (1, known):
                raise ArgumentError(
                    f"einsum: {name!r} in {equation!r} is of size {known} and of size {size}"
                )
        inputs.append(names)
    dims = list(range(most - 1, -1, -1))
    if arrow:
        before, dots, after = right.partition("...")
        output = [*before, *(dims if dots else ()), *after]
    else:
        once = sorted(c for c in set(left) if c.isalpha() and left.count(c) == 1)
        output = [*dims, *once]
    missing = [c for c in output if c not in sizes]
    if missing or len(set(output)) != len(output):
        raise ArgumentError(
            f"einsum: {right!r} in {equation!r}; each of its letters must stand left, and once"
        )
    return inputs, output, sizes


def diagonals(x, letters):
    """x with one dimension for each letter: "ii" is a diagonal."""
    letters = list(letters)
    for name in [c for i, c in enumerate(letters) if c in letters[:i]]:
        a = letters.index(name)
        b = letters.index(name, a + 1)
        x = x.diagonal(0, a, b)
        letters = [c for i, c in enumerate(letters) if i not in (a, b)] + [name]
    return x, letters


def summed_out(x, letters, kept):
    """x summed over dimensions that no other operand and not the result has."""
    dims = [d for d, name in enumerate(letters) if name not in kept]
    return (sum(x, dims), [c for c in letters if c in kept]) if dims else (x, letters)


def multiplied(x, letters, y, names, kept):
    """The product of two, summed over what both have and nothing later needs: one matmul."""
    shared = [c for c in letters if c in names]
    size = dict(zip(letters, x.shape, strict=True))
    other = dict(zip(names, y.shape, strict=True))
    both = [c for c in shared if c in kept or size[c] != other[c]]
    over = [c for c in shared if c not in both]
    left = [c for c in letters if c not in shared]
    right = [c for c in names if c not in shared]
    a = permute(x, [letters.index(c) for c in both + left + over])
    b = permute(y, [names.index(c) for c in both + over + right])
    shape_a, shape_b = ([s[c] for c in both] for s in (size, other))
    rows, columns = [size[c] for c in left], [other[c] for c in right]
    k = math.prod(size[c] for c in over)
    a = reshape(a, (*shape_a, math.prod(rows), k))
    b = reshape(b, (*shape_b, k, math.prod(columns)))
    z = matmul(a, b) if over else a * reshape(b, (*shape_b, 1, math.prod(columns)))
    z = reshape(z, (*z.shape[: len(both)], *rows, *columns))
    z_letters = both + left + right
    return summed_out(z, z_letters, kept)


# ---- with something added ------------------------------------------------------------------------


def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """beta * input + alpha * mat1 @ mat2."""
    checked_tensor(input, "addmm")
    return combined(input, mm(mat1, mat2), beta, alpha)


def addmv(input, mat, vec, *, beta=1, alpha=1):
    """beta * input + alpha * mat @ vec."""
    checked_tensor(input, "addmv")
    return combined(input, mv(mat, vec), beta, alpha)


def addr(input, vec1, vec2, *, beta=1, alpha=1):
    """beta * input + alpha * outer(vec1, vec2)."""
    checked_tensor(input, "addr")
    return combined(input, outer(vec1, vec2), beta, alpha)


def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """beta * input + alpha * batch1 @ batch2, of batches of matrices."""
    checked_tensor(input, "baddbmm")
    return combined(input, bmm(batch1, batch2), beta, alpha)


def addbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """beta * input + alpha * the sum of batch1 @ batch2 over the batch."""
    checked_tensor(input, "addbmm")
    products = bmm(batch1, batch2)
    return combined(input, sum(products, 0, dtype=products.dtype), beta, alpha)


def combined(x, product, beta, alpha):
    """beta * x + alpha * product, of integers by integers; with beta 0, x is not read."""
    if product.dtype.kind != "f":
        kind = bool if product.dtype.kind == "b" else int
        beta, alpha = kind(beta), kind(alpha)
    if alpha != 1:
        product = product * alpha
    if beta == 0:
        return product
    y = (x if beta == 1 else x * beta) + product
    if y.shape != product.shape:
        raise ArgumentError(
            f"input has shape {x.shape}, it does not broadcast to that of the product, "
            f"{product.shape}"
        )
    return y


def chain_matmul(*matrices):
    """The product of several matrices, in the order that takes the fewest multiplications."""
    return multi_dot(matrices)


def multi_dot(tensors):
    """The product of several matrices, the first and the last of which may be vectors."""
    tensors = several(tensors, "multi_dot")
    if len(tensors) == 1:
        return tensors[0]
    first, last = tensors[0].ndim == 1, tensors[-1].ndim == 1
    matrices = list(tensors)
    if first:
        matrices[0] = unsqueeze(matrices[0], 0)
    if last:
        matrices[-1] = unsqueeze(matrices[-1], 1)
    if any(x.ndim != 2 for x in matrices):
        raise ArgumentError(
            f"multi_dot: shapes {', '.join(str(x.shape) for x in tensors)}; matrices are needed, "
            "vectors only at the ends"
        )
    y = best_order([x.shape[0] for x in matrices] + [matrices[-1].shape[1]], matrices)
    return y[0] if first and not last else y[:, 0] if last and not first else y[0, 0] if last else y


def best_order(sizes, matrices):
    """The product, by the least cost of all bracketings."""
    n = len(matrices)
    cost, split = np.zeros((n, n)), np.zeros((n, n), int)
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            costs = [
                cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1]
                for k in range(i, j)
            ]
            split[i, j] = i + int(np.argmin(costs))
            cost[i, j] = min(costs)

    def product(i, j):
        if i == j:
            return matrices[i]
        k = split[i, j]
        return mm(product(i, k), product(k + 1, j))

    return product(0, n - 1)
