"""A network as one file of C99 that needs nothing but the C library."""

import math
import re
from itertools import pairwise

import numpy as np

from pyml.errors import ArgumentError
from pyml.export.graph import TEXT
from pyml.export.operations import FUNCTIONS, in_utf8, is_wrapped, plain, written

TYPES = {"float32": "float", "float64": "double", "int64": "int64_t", "bool": "unsigned char"}
TYPES |= {"int8": "int8_t", TEXT: "const char *"}
LARGEST_INT32 = 2**31 // 127**2  # products of int8 that an int32 holds the sum of
LONGEST_LITERAL = 4095  # letters that every compiler of C99 takes
WIDTH = 98  # columns of lines with numbers
# Words that no field of a struct can be called in C11, C23, C++20, and in GNU's dialects of them.
KEYWORDS = """
alignas alignof auto bool break case char const constexpr continue default do double else enum
extern false float for goto if inline int long nullptr register restrict return short signed sizeof
static static_assert struct switch thread_local true typedef typeof typeof_unqual union unsigned
void volatile while
and and_eq asm bitand bitor catch char8_t char16_t char32_t class co_await co_return co_yield compl
concept const_cast consteval constinit decltype delete dynamic_cast explicit export friend mutable
namespace new noexcept not not_eq operator or or_eq private protected public reinterpret_cast
requires static_cast template this throw try typeid typename using virtual wchar_t xor xor_eq
far interface linux near small unix
"""
# What stddef.h, stdint.h, math.h and string.h, and those that they include, define.
DEFINED = re.compile(
    r"U?INT\w*_(C|MAX|MIN|WIDTH)|(PTRDIFF|SIG_ATOMIC|SIZE|WCHAR|WINT)_(MAX|MIN|WIDTH)"
    r"|u?int(_fast|_least)?\d+_t|u?int(max|ptr)_t|(double|float|max_align|nullptr|ptrdiff|s?size)_t"
    r"|M_(E(f\w*|l)?|\w*(LN|LOG|PI|SQRT)\w*)|HUGE(_VAL\w*)?"
    r"|FP_((FAST|INT)_\w+|\w*LOGB\w*|INFINITE|NAN|(SUB)?NORMAL|ZERO)"
    r"|INFINITY|NAN|SNAN[DFL]?\w*|MAXFLOAT|MATH_ERR\w+|math_errhandling|NULL|EOF|I"
    r"|EXIT_(FAILURE|SUCCESS)|FD_SETSIZE|MB_CUR_MAX|NFDBITS|RAND_MAX|(BIG|LITTLE|PDP)_ENDIAN|errno"
    r"|BYTE_ORDER|W(CONTINUED|EXITED|NOHANG|NOWAIT|STOPPED|UNTRACED)"
    r"|DOMAIN|OVERFLOW|PLOSS|SING|TLOSS|UNDERFLOW|X_TLOSS"
)

# Functions that a file gets if it uses them: {p} is what names begin with, {t} the type.
HELPERS = {
    "max": "static inline {t} {p}max({t} a, {t} b) {{ return a >= b || a != a ? a : b; }}",
    "min": "static inline {t} {p}min({t} a, {t} b) {{ return a <= b || a != a ? a : b; }}",
    "relu": "static inline {t} {p}relu({t} x) {{ return x < 0 ? 0 : x; }}",
    "elu": "static inline {t} {p}elu({t} x) {{ return x > 0 ? x : expm1{f}(x); }}",
    "softplus": (
        "static inline {t} {p}softplus({t} x) {{\n"
        "    return {p}max(x, 0) + log1p{f}(exp{f}(-fabs{f}(x)));\n}}"
    ),
    "floordiv": """\
static inline int64_t {p}floordiv(int64_t a, int64_t b)
{{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}}""",
    "linear": """\
/* y = x w + b for rows of x; w is (in, out), b may be NULL. Columns of y go by {block}, so that
 * sums stay in registers, each in the order of k. */
static inline void {p}linear(int rows, int in, int out, const {t} *w, const {t} *b,
                             const {t} *x, {t} *y)
{{
    const int whole = out - out % {block};
    for (int r = 0; r < rows; r++, x += in, y += out) {{
        for (int j = 0; j < whole; j += {block}) {{
            {t} sum[{block}];
            for (int c = 0; c < {block}; c++)
                sum[c] = b ? b[j + c] : 0;
            for (int k = 0; k < in; k++) {{
                const {t} *row = w + (ptrdiff_t)k * out + j, value = x[k];
                for (int c = 0; c < {block}; c++)
                    sum[c] += value * row[c];
            }}
            for (int c = 0; c < {block}; c++)
                y[j + c] = sum[c];
        }}
        for (int j = whole; j < out; j++) {{
            {t} sum = b ? b[j] : 0;
            for (int k = 0; k < in; k++)
                sum += x[k] * w[(ptrdiff_t)k * out + j];
            y[j] = sum;
        }}
    }}
}}""",
    "linear_int8": """\
/* y = scale * step * (q w^T) + b for rows of x, with q = x / step rounded to int8 and w (out, in)
 * of int8; NaN if one of x is. q has room for a row, b may be NULL. */
static inline void {p}linear_int8(int rows, int in, int out, {t} step, const int8_t *w,
                                  const {t} *scale, const {t} *b, const {t} *x, int8_t *q, {t} *y)
{{
    for (int r = 0; r < rows; r++, x += in, y += out) {{
        {t} gone = 0; /* or NaN */
        for (int k = 0; k < in; k++) {{
            {t} v = x[k] / step;
            gone = v != v ? v : gone;
            v += v < 0 ? -0.5{f} : 0.5{f};
            q[k] = (int8_t)(v > 127 ? 127 : v > -127 ? v : -127);
        }}
        for (int j = 0; j < out; j++) {{
            const int8_t *row = w + (ptrdiff_t)j * in;
            {sum} sum = 0;
            for (int k = 0; k < in; k++)
                sum += q[k] * row[k];
            y[j] = ({t})sum * (scale[j] * step) + (b ? b[j] : 0) + gone;
        }}
    }}
}}""",
    "mod": """\
static inline int64_t {p}mod(int64_t a, int64_t b)
{{
    const int64_t rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}}""",
    "share": """\
/* How far x is through ascending quantiles, from 0 to 1; at equal ones it is in their middle. */
static inline {t} {p}share({t} x, int count, const {t} *quantiles)
{{
    int low = 0, high = count; /* quantiles[low - 1] < x <= quantiles[low] */
    while (low < high) {{
        const int middle = low + (high - low) / 2;
        if (quantiles[middle] < x)
            low = middle + 1;
        else
            high = middle;
    }}
    int end = low; /* behind those that are equal to x */
    while (end < count && quantiles[end] == x)
        end++;
    if (end > low)
        return (low + end - 1) / ({t})2 / (count - 1);
    if (low == 0 || low == count)
        return low != 0;
    const {t} before = quantiles[low - 1];
    return (low - 1 + (x - before) / (quantiles[low] - before)) / (count - 1);
}}""",
    "code": """\
/* The place of a text among names, counted from 1; 0 if it is not there. NULL, or a text without
 * letters, is a missing one. */
static inline int64_t {p}code(const char *text, int count, const char *const *names)
{{
    for (int i = 0; i < count; i++)
        if (text && *text ? names[i] && strcmp(text, names[i]) == 0 : !names[i])
            return i + 1;
    return 0;
}}""",
}
NEEDS = {"softplus": ["max"]}
RESERVED = """
predict self_test inputs outputs test_x test_y H INPUTS OUTPUTS ULP WEIGHT_BYTES SCRATCH_BYTES
"""  # behind the prefix
BLOCK = 16  # columns whose sums are kept in registers: one of AVX-512, four of SSE or NEON


def identifier(name, taken=()):
    """A name of C, another one than those that are taken."""
    base = re.sub(r"\W", "_", name, flags=re.ASCII).strip("_") or "value"
    base = f"_{base}" if base[0].isdigit() else base
    made, count = base, 1
    while made in taken:
        count += 1
        made = f"{base}_{count}"
    return made


class Writer:
    """The text of a graph in C.

    Args:
        graph: a Graph.
        prefix: what all names begin with, in capitals for macros.
    """

    def __init__(self, graph, prefix):
        self.graph, self.prefix = graph, prefix
        self.p = f"{prefix}_"
        floats = {v.dtype for v in graph.values if v.dtype in (np.float32, np.float64)}
        self.is_float = np.dtype("float32") in floats
        self.arrays = {}  # {(constant, is transposed): name}
        self.taken = {f"{self.p}{name}" for name in (*RESERVED.split(), *HELPERS)}
        self.tables = []  # text of other constants
        self.texts = {}  # {long text: name of its table}
        self.helpers = set()
        self.body, self.names, self.free, self.declared = [], {}, {}, {}
        self.fields = [
            named_fields({v.options["name"]: v for v in graph.inputs}),
            named_fields(graph.outputs),
        ]

    # ---- names -----------------------------------------------------------------------------------

    def reference(self, side, name, value):
        """How an input (side 0) or output (side 1) is written: a pointer to its numbers."""
        letter = "xy"[side]
        if len(self.fields[side]) == 1:
            return letter
        return f"{letter}->{name}" if value.shape else f"(&{letter}->{name})"

    # ---- expressions -----------------------------------------------------------------------------

    def literal(self, number, dtype):
        """A number in C."""
        if dtype == np.int64:
            return "INT64_MIN" if number == np.iinfo(np.int64).min else f"{int(number)}"
        if dtype in (np.bool_, np.int8):
            return str(int(number))
        is_double = dtype == np.float64
        if math.isnan(number):  # which is a float, as INFINITY is
            return "(double)NAN" if is_double else "NAN"
        if math.isinf(number):
            largest = "HUGE_VAL" if is_double else "INFINITY"
            return largest if number > 0 else f"-{largest}"
        text = str(np.dtype(dtype).type(number))
        text = text if "." in text or "e" in text else f"{text}.0"
        return text + ("f" if dtype == np.float32 else "")

    def literal_of(self, text):
        """A text in C, or None: a literal, or the name of an array of letters if it is long."""
        if text is None:
            return "NULL"
        content = bytes_of(text)
        if len(content) <= LONGEST_LITERAL:
            return quoted(content)
        if text not in self.texts:
            letters = [f"'\\{byte:03o}'" for byte in content]
            self.texts[text] = self.table("char", [*letters, "0"])
        return self.texts[text]

    def array(self, constant, transposed=False):
        """The name of a constant array, which is then written."""
        key = constant, transposed
        if key not in self.arrays:
            self.arrays[key] = identifier(f"{self.p}{constant.options['name']}", self.taken)
            self.taken.add(self.arrays[key])
        return self.arrays[key]

    def expression(self, value, places):
        """An element of a Value; places(value) is the text of its index."""
        if value.is_scalar:
            number = self.literal(value.options["array"], value.dtype)
            return f"({number})" if number.startswith("-") else number
        if value.is_constant:
            return f"{self.array(value)}[{places(value)}]"
        if value not in self.graph.inlined:
            return self.element(self.names[value], places(value))
        return self.formula(value, places)

    @staticmethod
    def element(name, place):
        """An element of what a pointer points to."""
        return name[2:-1] if name.startswith("(&") else f"{name}[{place}]"

    def formula(self, value, places):
        """A function of elements."""
        f = "f" if value.dtype == np.float32 else ""
        t = TYPES[str(value.dtype)]
        if value.op in HELPERS:
            self.need(value.op, value.dtype)
        p = self.name_of(value.dtype)
        given = [self.expression(v, places) for v in value.inputs]
        return written(FUNCTIONS[value.op].c, given, f=f, p=p, t=t)

    def name_of(self, dtype):
        """What helpers of a dtype begin with: those of double have a d if there are both."""
        return f"{self.p}d_" if dtype == np.float64 and self.is_float else self.p

    def need(self, name, dtype):
        """Puts a helper into the file."""
        for each in (*NEEDS.get(name, ()), name):
            self.helpers.add((each, np.dtype(dtype)))

    # ---- buffers ---------------------------------------------------------------------------------

    def write(self):
        """Goes through the graph; afterwards body, arrays and helpers are there."""
        graph = self.graph
        alive = [v for v in graph.values if not (v.is_constant or v in graph.inlined)]
        place = {value: i for i, value in enumerate(alive)}
        last = dict(place)
        for user in alive:
            for value in self.read_by(user):
                root = self.root(value)
                last[root] = max(last[root], place[user])
        wanted = {}
        for name, value in self.fields[1].items():
            root = self.root(value)
            if root.op != "input" and not root.is_constant and root not in wanted:
                wanted[root] = name, value
        for name, value in self.fields[0].items():
            self.names[value] = self.reference(0, name, value)
        said = ""
        for i, value in enumerate(alive):
            if value.op == "input":
                continue
            if value.op == "reshape":
                self.names[value] = self.names[value.inputs[0]]
                continue
            if value in wanted:
                self.names[value] = self.reference(1, *wanted[value])
            else:
                self.names[value] = self.buffer(value)
            said = self.comment(value, said)
            self.operation(value)
            for root, end in last.items():
                if end == i and root not in wanted and root.op not in ("input", "reshape"):
                    self.free.setdefault(str(root.dtype), []).append(self.names[root])
        for name, value in self.fields[1].items():
            root = self.root(value)
            target = self.reference(1, name, value)
            if self.names.get(root) != target:
                source = self.expression(root, lambda v: "i")
                line = f"{self.element(target, 'i')} = {source};"
                self.loops([value.size], lambda i, line=line: line)

    def root(self, value):
        """The Value whose memory it has."""
        while value.op == "reshape":
            value = value.inputs[0]
        return value

    def read_by(self, user):
        """The Values in memory that an operation reads, also within what is inlined."""
        for value in user.inputs:
            if value in self.graph.inlined:
                yield from self.read_by(value)
            elif not value.is_constant:
                yield value

    def buffer(self, value):
        """Memory for a Value: some that is free, or new."""
        kind = str(value.dtype)
        free = self.free.setdefault(kind, [])
        if free:
            name = min(free, key=lambda n: (self.declared[n][1] < value.size, self.declared[n][1]))
            free.remove(name)
            self.declared[name] = kind, max(self.declared[name][1], value.size)
            return name
        name = f"s{len(self.declared)}"
        self.declared[name] = kind, value.size
        return name

    # ---- operations ------------------------------------------------------------------------------

    def comment(self, value, said):
        """A line that says which module begins; returns what has been said."""
        where = value.where
        if where and where != said:
            self.body.append(f"/* {plain(where)} */")
            return where
        return said

    def loops(self, sizes, line, names="ijklmnopq"):
        """Loops over sizes around a line, which is a function of the loops' variables."""
        used = names[: len(sizes)]
        for depth, (name, size) in enumerate(zip(used, sizes, strict=True)):
            self.body.append("    " * depth + f"for (int {name} = 0; {name} < {size}; {name}++)")
        self.body.append("    " * len(sizes) + line(*used))

    def operation(self, value):
        """The lines of one Value."""
        if value.is_elementwise:
            self.elementwise(value)
        else:
            getattr(self, f"of_{value.op}")(value, *value.inputs)

    def leaves(self, value):
        """The Values that an expression reads, scalars left out."""
        for each in value.inputs:
            if each in self.graph.inlined:
                yield from self.leaves(each)
            elif not each.is_scalar:
                yield each

    def elementwise(self, value):
        leaves = [*self.leaves(value)]
        rank = len(value.shape)
        padded = {v: (1,) * (rank - len(v.shape)) + v.shape for v in leaves}
        sizes, kept = [], []  # dimensions that all leaves walk alike become one
        for d, n in enumerate(value.shape):
            if n == 1:
                continue
            walks = {v: shape[d] != 1 for v, shape in padded.items()}
            if sizes and kept[-1] == walks:
                sizes[-1] *= n
            else:
                sizes.append(n)
                kept.append(walks)

        def place(v, names):
            terms, step = [], 1
            for d in reversed(range(len(sizes))):
                if v is value or kept[d][v]:
                    terms.append(term(step, names[d]))
                    step *= sizes[d]
            return " + ".join(reversed(terms)) or "0"

        def line(*names):
            result = self.formula(value, lambda v: place(v, names))
            result = result[1:-1] if is_wrapped(result) else result
            if value.dtype == np.bool_:  # comparisons are of int
                result = f"({TYPES['bool']})({result})"
            return f"{self.element(self.names[value], place(value, names))} = {result};"

        self.loops(sizes, line)

    def of_linear(self, value, x, weight, bias=None):
        self.need("linear", value.dtype)
        outputs, inputs = weight.shape
        rows, b = math.prod(value.shape[:-1]), "NULL" if bias is None else self.array(bias)
        self.body.append(
            f"{self.name_of(value.dtype)}linear({rows}, {inputs}, {outputs}, "
            f"{self.array(weight, True)}, {b}, {self.names[x]}, {self.names[value]});"
        )

    def of_members(self, value, x, weight, bias=None):
        self.need("linear", value.dtype)
        count, inputs, outputs = weight.shape
        b = "NULL" if bias is None else f"{self.array(bias)} + {outputs} * j"
        call = (
            f"{self.name_of(value.dtype)}linear(1, {inputs}, {outputs}, {self.array(weight)} + "
            f"{inputs * outputs} * j, {b}, {self.names[x]} + {inputs} * ({count} * i + j), "
            f"{self.names[value]} + {outputs} * ({count} * i + j));"
        )
        self.loops([math.prod(value.shape[:-2]), count], lambda *names: call)

    def of_linear_int8(self, value, x, weight, scale, bias=None):
        self.need("linear_int8", value.dtype)
        outputs, inputs = weight.shape
        rows, b = math.prod(value.shape[:-1]), "NULL" if bias is None else self.array(bias)
        self.declared["q8"] = "int8", max(self.declared.get("q8", ("", 0))[1], inputs)
        step = self.literal(value.options["step"], value.dtype)
        self.body.append(
            f"{self.name_of(value.dtype)}linear_int8({rows}, {inputs}, {outputs}, {step}, "
            f"{self.array(weight)}, {self.array(scale)}, {b}, {self.names[x]}, q8, "
            f"{self.names[value]});"
        )

    def of_take(self, value, x):
        places, axis = value.options["places"], value.options["axis"]
        inner = math.prod(x.shape[axis + 1 :])
        outer = math.prod(x.shape[:axis])
        steps = {b - a for a, b in pairwise(places)} or {1}
        if len(steps) == 1:
            [step] = steps
            where = f"{places[0]} + {term(step, 'j')}" if places[0] else term(step, "j")
        else:
            where = f"{self.table('int', places)}[j]"
        source = f"{self.names[x]}[({x.shape[axis]} * i + {where}) * {inner} + k]"
        line = f"{self.names[value]}[({len(places)} * i + j) * {inner} + k] = {source};"
        self.loops([outer, len(places), inner], lambda *names: line)

    def of_choose(self, value, x):
        table = self.table("char *const", map(self.literal_of, value.options["names"]))
        source = self.expression(x, lambda v: "0")
        self.body.append(f"{self.element(self.names[value], '0')} = {table}[{source}];")

    def of_concat(self, value, *parts):
        axis = value.options["axis"]
        outer = math.prod(value.shape[:axis])
        row, begin = math.prod(value.shape[axis:]), 0
        for part in parts:
            size = math.prod(part.shape[axis:])
            source = self.expression(part, lambda v, size=size: f"{size} * i + j")
            line = f"{self.names[value]}[{row} * i + {begin} + j] = {source};"
            self.loops([outer, size], lambda *names, line=line: line)
            begin += size

    def of_reduce(self, value, x):
        axes, kind = value.options["axes"], value.options["kind"]
        kept = [d for d in range(len(x.shape)) if d not in axes and x.shape[d] != 1]
        inner = [d for d in axes if x.shape[d] != 1]
        strides = [math.prod(x.shape[d + 1 :]) for d in range(len(x.shape))]
        names = dict(zip([*kept, *inner], "ijklmnopq", strict=False))

        def place(dims):
            return " + ".join(term(strides[d], names[d]) for d in dims) or "0"

        target, step = [], 1
        for d in reversed(kept):
            target.append(term(step, names[d]))
            step *= x.shape[d]
        t, source = TYPES[str(value.dtype)], f"{self.names[x]}[{place([*kept, *inner])}]"
        if kind == "max":
            self.need("max", value.dtype)
            start = f"{self.names[x]}[{place(kept)}]"
            added = f"sum = {self.name_of(value.dtype)}max(sum, {source});"
        else:
            start, added = "0", f"sum += {source};"
        count = math.prod(x.shape[d] for d in axes)
        result = "sum" if kind != "mean" else f"sum / {count}"
        self.loops([x.shape[d] for d in kept], lambda *used: "{")
        pad = "    " * len(kept)
        self.body.append(f"{pad}    {t} sum = {start};")
        at = len(self.body)
        self.loops([x.shape[d] for d in inner], lambda *used: added, "ijklmnopq"[len(kept) :])
        self.body[at:] = [f"{pad}    {text}" for text in self.body[at:]]
        self.body.append(
            f"{pad}    {self.element(self.names[value], ' + '.join(reversed(target)) or '0')} "
            f"= {result};"
        )
        self.body.append(pad + "}")

    def of_largest(self, value, x):
        target = self.element(self.names[value], "0")
        self.body.append(f"{target} = 0;")
        source = self.names[x]
        line = f"if ({source}[i] > {source}[{target}]) {target} = i;"
        self.loops([x.size], lambda i: line)

    def of_lookup(self, value, table, rows):
        count, size = table.shape
        row = self.expression(rows, lambda v: "i")
        self.loops([rows.size], lambda i: f"if ({row} < 0 || {row} >= {count}) return 1;")
        line = (
            f"{self.names[value]}[{size} * i + j] = "
            f"{self.array(table)}[{size} * ({TYPES['int64']})({row}) + j];"
        )
        self.loops([rows.size, size], lambda i, j: line)

    def of_share(self, value, x, quantiles):
        self.need("share", value.dtype)
        begins = value.options["begins"]
        name = self.table("int", begins)
        line = (
            f"{self.names[value]}[i] = {self.name_of(value.dtype)}share({self.names[x]}[i], "
            f"{name}[i + 1] - {name}[i], {self.array(quantiles)} + {name}[i]);"
        )
        self.loops([value.size], lambda i: line)

    def of_code(self, value, x):
        self.need("code", value.dtype)
        names = value.options["names"]
        texts = map(self.literal_of, names)
        table = self.table("char *const", texts)
        source = self.expression(x, lambda v: "i")
        line = (
            f"{self.element(self.names[value], 'i')} = {self.p}code({source}, {len(names)}, "
            f"{table});"
        )
        self.loops([value.size], lambda i: line)

    # ---- constants -------------------------------------------------------------------------------

    def table(self, kind, items):
        """The name of a constant of places or texts, which is then written."""
        items = list(items)
        name = identifier(f"{self.p}table", self.taken)
        self.taken.add(name)
        self.tables.append(declared(f"static const {kind} {name}[{len(items)}]", map(str, items)))
        return name

    def constants(self):
        """The text of all arrays."""
        texts = []
        for (constant, transposed), name in self.arrays.items():
            array = constant.options["array"]
            array = array.T if transposed else array
            head = f"static const {TYPES[str(array.dtype)]} {name}[{max(array.size, 1)}]"
            shape = ", ".join(map(str, array.shape))
            items = (self.literal(n, array.dtype) for n in array.ravel().tolist())
            if array.dtype == np.float32:
                items = (self.literal(n, array.dtype) for n in array.ravel())
            texts.append(declared(head, items if array.size else ["0"], f"({shape})"))
        return [*self.tables, *texts]

    def functions(self):
        """The text of the helpers."""
        return [
            HELPERS[name].format(
                p=self.name_of(dtype),
                t=TYPES[str(dtype)],
                f="f" if dtype == np.float32 else "",
                block=BLOCK,
                sum="int32_t"
                if self.declared.get("q8", ("", 0))[1] <= LARGEST_INT32
                else "int64_t",
            )
            for name in HELPERS
            for dtype in sorted({d for n, d in self.helpers if n == name}, key=str)
        ]

    @property
    def scratch_bytes(self):
        """Memory on the stack of one call."""
        return sum(size * np.dtype(kind).itemsize for kind, size in self.declared.values())

    @property
    def weight_bytes(self):
        """Memory of constants."""
        return sum(constant.options["array"].nbytes for constant, _ in self.arrays)


def term(step, name):
    """A part of an index."""
    return name if step == 1 else f"{step} * {name}"


def named_fields(values):
    """{name of C: Value} of {name: Value}."""
    names = []
    for name in values:
        names.append(identifier(name, names))
    return {
        f"{name}_"
        if name in KEYWORDS.split() or DEFINED.fullmatch(name)
        else name: value  # no other ends in _
        for name, value in zip(names, values.values(), strict=True)
    }


def bytes_of(text):
    """The bytes of a text, which C ends at the first 0."""
    content = in_utf8(text, "export.c")
    if 0 in content:
        raise ArgumentError(
            f"export.c: the category or class {text!r} has a NUL, where a text of C ends; give it "
            "another name in the table, and fit again"
        )
    return content


def quoted(content):
    """Bytes as a literal of C."""
    letters = []
    for byte in content:
        plain = 32 <= byte < 127 and chr(byte) not in '"\\?'
        letters.append(chr(byte) if plain else f"\\{byte:03o}")
    return '"' + "".join(letters) + '"'


def declared(head, items, comment=""):
    """A constant array over as many lines as it needs."""
    lines = [f"{head} = {{" + (f" /* {comment} */" if comment else "")]
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > WIDTH:
            lines.append(line)
            line = "   "
        line += f" {item},"
    return "\n".join([*lines, line.rstrip(","), "};"])
