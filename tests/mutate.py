"""Breaks one formula or check at a time in a copy of the tree, and prints what no test notices.

    python tests/mutate.py --list                    what can be broken, with its number
    python tests/mutate.py --sample 10 --seed 1      breaks 10 of each area, of all kinds
    python tests/mutate.py --only guards layout      those whose line in the list has these words

A change that no test notices is a missing test, or changes nothing: then it belongs into
EQUIVALENT, with the reason. The copy is built once; then only the file that was changed is compiled
anew, C for one ISA. Results are kept in a file of JSON lines: a run goes on where the last one
stopped, and with --again those that were not noticed are tried again.
"""

import argparse
import fnmatch
import hashlib
import itertools
import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent


class Area(NamedTuple):
    """What is broken: functions by their names, in some files."""

    name: str
    files: tuple  # patterns
    functions: str  # a regular expression of the whole name


AREAS = (
    Area(
        "derivatives",
        ("pyml/ops/*.pyx", "pyml/ops/*.py"),
        r"_?gradients(_fused)?|\w*derivative\w*|\w+_backward|lambda|reduced|restored|sum_to|place"
        r"|drop_again|running_sum|weighted_target|wanted|inverse|replace|apart",
    ),
    Area(
        "tape",
        ("pyml/tensor.pyx", "pyml/backward.pyx"),
        r"connect|keep|saved|saved_output|walk|accumulate_into|first_gradient|takes"
        r"|enqueue|edges_towards|will_change|check_current|run_hooks|check_accumulates"
        r"|mark_changed|alias_of|view_of",
    ),
    Area("optimizers", ("csrc/kernels/optim.c",), r".*"),
    Area("kernels", ("csrc/kernels/*.c",), r".*"),
    Area("bfloat16", ("csrc/bfloat16/product.c", "csrc/kernels/linear.h"), r".*"),
    Area("effects", ("csrc/effects.c",), r".*"),
    Area("outside", ("pyml/ops/outside.py",), r".*"),
    Area("distributions", ("pyml/distributions/*.py",), r"(?!__repr__).*"),
    Area("metrics", ("pyml/train/metrics/*.py",), r"(?!__repr__).*"),
    Area("pictures", ("pyml/plot/*.py",), r".*"),
    Area(
        "guards",
        (
            "pyml/recording/guards.pyx",
            "pyml/recording/layout.pyx",
            "pyml/recording/dependencies.py",
            "pyml/recording/code.py",
            "pyml/recording/objects.py",
            "pyml/recording/watched.py",
        ),
        r".*",
    ),
    Area(
        "guards",
        ("pyml/recording/program.pyx",),
        r"takes|fits\w*|can_change|may_fit_again|runs_in_c|is_due|confirmed|difference"
        r"|other_effects|\w*holds?|same_shape|must_move|find",
    ),
)

GRADIENTS = ("tests/test_derivatives.py", "tests/test_autograd.py")
BFLOAT16 = ("tests/record/test_behind.py", "tests/record/test_follow.py", "tests/test_amp.py")
TAPE = (
    *GRADIENTS[::-1],
    "tests/test_grad_mode.py",
    "tests/test_tensor.py",
    "tests/nn",
    "tests/ops",
)
RECORD = tuple(
    f"tests/record/test_{name}.py"
    for name in (
        *("guards", "confirmation", "refusals", "numbers", "slots", "lifetimes", "host"),
        *("results", "stats", "diagnostics", "run", "arguments_in_memory"),
    )
)
# what should notice a change of a file; the first pattern counts, {stem} is of the file's name
TESTS = (
    (
        "pyml/ops/outside.py",
        ("tests/ops/test_outside.py", "tests/test_io.py", "tests/train/test_checkpoint.py"),
    ),
    ("pyml/ops/selection.py", ("tests/record/test_selection.py",)),
    (
        "pyml/ops/*",
        ("tests/ops/test_{stem}.py", *GRADIENTS, "tests/ops/test_breadth.py", "tests/nn"),
    ),
    ("pyml/tensor.pyx", TAPE),
    ("pyml/backward.pyx", TAPE),
    ("csrc/effects.c", ("tests/test_effects.py",)),
    ("csrc/kernels/optim.c", ("tests/kernels/test_optim.py", "tests/optim/test_optimizers.py")),
    ("csrc/kernels/clip.c", ("tests/kernels/test_clip.py", "tests/optim/test_clip.py")),
    ("csrc/kernels/gemv.c", ("tests/kernels/test_linear.py", "tests/kernels/test_gemm.py")),
    (
        "csrc/kernels/elementwise.c",
        ("tests/kernels/test_elementwise.py", "tests/kernels/test_special.py"),
    ),
    ("csrc/bfloat16/*", (*BFLOAT16, "tests/kernels/test_bfloat16.py")),
    ("csrc/kernels/linear.h", (*BFLOAT16, "tests/kernels/test_linear.py")),
    ("csrc/kernels/*", ("tests/kernels/test_{stem}.py", "tests/test_derivatives.py")),
    ("pyml/distributions/*", ("tests/distributions",)),
    ("pyml/train/metrics/*", ("tests/train/metrics",)),
    ("pyml/plot/*", ("tests/plot",)),
    (
        "pyml/recording/layout.pyx",
        ("tests/record/test_arguments_in_memory.py", "tests/record/test_results.py"),
    ),
    ("pyml/recording/watched.py", ("tests/record/test_array_arguments.py",)),
    ("pyml/recording/*", ("tests/record/test_{stem}.py", *RECORD)),
)

# (file, the line as it was changed, or as it was for all its changes, why results are the same)
EQUIVALENT = (
    ("csrc/effects.c", "if (reach <= 0) s.first += reach;", "either adds 0"),
    (
        "csrc/kernels/activation.c",
        "INLINE vec bounded_below(vec x) { return vselect(x <= -BOUND, vset1(-BOUND), x); }",
        "both are -BOUND there",
    ),
    (
        "csrc/kernels/gemm.c",
        "tiles.parts > MR / MC ? t.k : 0; /* used once, a panel needs no place of its own */",
        "a panel that is used once has a place of its own",
    ),
    (
        "pyml/ops/cross_entropy.pyx",
        "q, full((x.array.shape[0],), x.array, -1), full(x.shape, x.array, 0), "
        "self.saved(4).array, self.index, self.prob,",
        "the total weight is not read for losses that are not reduced",
    ),
    ("pyml/recording/guards.pyx", "self.how = BY_ITEM", "BY_KIND has the same results"),
    (
        "pyml/ops/outside.py",
        'elif isinstance(value, (np.generic, np.ndarray)) or hasattr(value, "__array__"):',
        "an order of types",
    ),
    (
        "csrc/kernels/move.c",
        "for (ptrdiff_t d = 0; d <= c.ndim - 2; d++) planes *= c.shape[d];",
        "planes are copied again",
    ),
    (
        "pyml/train/metrics/classes.py",
        "self._counts = np.zeros((3, 1))  # hits, predicted, true",
        "one column, put into none",
    ),
)


# ---- what can be broken --------------------------------------------------------------------------


class Mutant(NamedTuple):
    """One line changed."""

    area: str
    file: str
    owner: str  # what begins in the first column and has the line
    function: str
    kind: str
    line: int  # from 1
    before: str
    after: str

    @property
    def key(self):
        text = "\n".join((self.file, self.function, self.kind, self.before, self.after))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def __str__(self):
        return f"{self.area} {self.kind} {self.file}:{self.line} {self.function}"

    def diff(self):
        return f"  - {self.before.strip()}\n  + {self.after.strip()}"


PYTHON_QUIET = re.compile(
    r"""("{3}[\s\S]*?"{3}|[rfb]*"(?:\\.|[^"\\\n])*"|[rfb]*'(?:\\.|[^'\\\n])*'|\#[^\n]*)"""
)
C_QUIET = re.compile(r"""(/\*[\s\S]*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*")""")
SIGNATURE = re.compile(r"^(?![A-Z]+\()\w[^;{]*(?=\{)", re.M)  # of a function of C


def code_of(text, path):
    """The text with strings and comments blank, of the same length."""
    return (C_QUIET if path.suffix == ".c" else PYTHON_QUIET).sub(blank, text)


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def functions_of(code, path):
    """(name, first line, end) of each function, from 0; several may have one name."""
    lines = code.split("\n")
    yield from (c_functions if path.suffix == ".c" else python_functions)(lines)


def python_functions(lines):
    for i, line in enumerate(lines):
        match = re.match(r"(\s*)(?:async )?(?:def|cdef|cpdef)\b[^=]*?(\w+)\(.*", line)
        if match and not line.rstrip().endswith(")"):
            end = i + 1
            while end < len(lines) and not lines[end].startswith(match[1] + ")"):
                if lines[end].strip() and indent(lines[end]) <= len(match[1]):
                    break
                end += 1
            end += lines[end].startswith(match[1] + ")") if end < len(lines) else 0
            while end < len(lines) and (
                not lines[end].strip() or indent(lines[end]) > len(match[1])
            ):
                end += 1
            yield match[2], i + 1, end
        elif re.search(r"\blambda dy\b", line):  # a derivative
            yield "lambda", i, i + 1


def indent(line):
    return len(line) - len(line.lstrip())


def c_functions(lines):
    """Functions, macros, and the rows of a macro, each in the first column."""
    i = 0
    while i < len(lines):
        macro = re.match(r"#define (\w+)\(", lines[i])
        row = re.match(r"[A-Z]\w*\((\w+)", lines[i])
        function = re.match(r"(?:\w[\w ]*[ *])?(?:KERNEL\()?(\w+)\)?\(", lines[i])
        begin, i = i, i + 1
        if macro:
            while lines[i - 1].endswith("\\"):
                i += 1
            yield macro[1], begin, i
        elif row:
            while not balanced("\n".join(lines[begin:i])):
                i += 1
            yield row[1], begin, i
        elif function:
            while not (balanced("\n".join(lines[begin:i])) and lines[i - 1].endswith(("}", ";"))):
                i += 1
            yield function[1], begin, i


NUMBER = r"(?<![\w.\"])(\d+)(\.\d+)?(?![\w.\"])"
TERM = r"[\w.]+(?:->\w+)?(?:\([^()]*\)|\[[^][]*\])?"
ENDS = r"(?=[ ,):;\]]|$)"
MUTATORS = (  # kind, what is changed, into what
    ("sign", r" \+ ", " - "),
    ("sign", r" - ", " + "),
    ("sign", r" \+= ", " -= "),
    ("sign", r" -= ", " += "),
    ("sign", r"(?<=[(\[])-(?=[\w(])|(?<=[,=?:] )-(?=[\w(])|(?<=return )-|(?<=else )-", ""),
    ("factor", r" \* ", " / "),
    ("factor", r" / ", " * "),
    ("factor", r" \*= ", " /= "),
    ("constant", NUMBER, lambda m: f"{int(m[1]) + 1}{m[2] or ''}"),
    ("swap", rf"(?<=[(, ])({TERM}) / ({TERM})", r"\2 / \1"),
    ("swap", r"(?<!isinstance\()(?<!attr\()(?<=\()([^(),]+), ([^(),]+)(?=\))", r"\2, \1"),
    ("swap", r"((?:where|vselect)\([^,]+), ([^(),]+), ([^(),]+)(?=\))", r"\1, \3, \2"),
    ("swap", r"\? ([^:?;]+) : ([^:?;,)]+)", r"? \2 : \1"),
    ("term", rf" [+-] {TERM}{ENDS}", ""),
    ("term", rf" [*/] {TERM}{ENDS}", ""),
    ("term", rf"(?<=[(= ]){TERM} [*+] ", ""),
    ("condition", r"\b(if|elif) (.+):$", r"\1 not (\2):"),
    ("condition", r"\bif (.+):$", "if False:"),
    ("condition", r" if ([^:]+?) else ", r" if not (\1) else "),
    ("condition", r"\bif \((.+?)\) ", r"if (!(\1)) "),
    ("condition", r" and ", " or "),
    ("condition", r" or ", " and "),
    ("condition", r" and (?!not )[^()]+?(?= and |:$|$|\))", ""),
    ("condition", r"(?<=[( ])[\w. ]+ (?:and|or) (?=\w)", ""),
    ("condition", r" && ", " || "),
    ("condition", r" \|\| ", " && "),
    ("condition", r"\bnot (?!in )", ""),
    ("condition", r"(?<=[( ])!(?=\w)", ""),
    ("comparison", r" < ", " <= "),
    ("comparison", r" <= ", " < "),
    ("comparison", r" > ", " >= "),
    ("comparison", r" >= ", " > "),
    ("comparison", r" == ", " != "),
    ("comparison", r" != ", " == "),
    ("comparison", r" is not ", " is "),
    ("comparison", r" is (?!not )", " is not "),
    ("comparison", r" not in ", " in "),
    ("verdict", r"(?<!strict=)\bTrue\b", "False"),
    ("verdict", r"\bFalse\b", "True"),
)
# a line that is no formula
SKIPPED = re.compile(
    r"\s*(raise|import|from|cimport|class|cdef class|def|cdef [^=]*$|cpdef|@|#|assert|parallel_for"
    r"|typedef|(const )?double ns|f?$)"
)
# one that may be left out: a call, or a change of what other lines made
STATEMENT = re.compile(
    r"\s+(?!(return|yield|if|else|for|while|elif|with|cdef|yield)\b)"
    r"([\w.\[\]>-]+\(.*\)|[\w.\[\]>-]+ [-+*/|]= .*|[\w]+(\.|->|\[).* = .*|\*\w+ = .*);?$"
)


def mutations_of(line, code, is_c):
    """(kind, the changed line) of each change of a line whose code is `code`."""
    for kind, pattern, replacement in MUTATORS:
        for match in re.finditer(pattern, code):
            new = match.expand(replacement) if isinstance(replacement, str) else replacement(match)
            if code[match.start() : match.end()] == line[match.start() : match.end()]:
                yield kind, line[: match.start()] + new + line[match.end() :]
    if STATEMENT.match(code.rstrip()) and balanced(code):
        yield "statement", " " * indent(line) + (";" if is_c else "pass")


def balanced(code):
    return all(code.count(a) == code.count(b) for a, b in ("()", "[]", "{}"))


def mutants(root=ROOT):
    """All of them, in the order of areas, files and lines."""
    found = {}
    for area in AREAS:
        for pattern in area.files:
            for path in sorted(root.glob(pattern)):
                for mutant in mutants_of(area, path, root):
                    found.setdefault(mutant.key, mutant)
    return list(found.values())


def mutants_of(area, path, root):
    text = path.read_text()
    if path.suffix == ".c" and path.with_suffix(".pyx").exists():
        return
    lines, code = text.split("\n"), code_of(text, path)
    codes = (SIGNATURE.sub(blank, code) if path.suffix == ".c" else code).split("\n")
    for name, begin, end in functions_of(code, path):
        if re.fullmatch(area.functions, name):
            for i in range(begin, end):
                if SKIPPED.match(codes[i]) or begins_inside_a_raise(codes, begin, i):
                    continue
                for kind, after in mutations_of(lines[i], codes[i], path.suffix == ".c"):
                    file = path.relative_to(root).as_posix()
                    if after != lines[i]:
                        owner = name if path.suffix == ".c" else owner_of(codes, i)
                        yield Mutant(area.name, file, owner, name, kind, i + 1, lines[i], after)


def owner_of(codes, i):
    while not re.match(r"\w", codes[i]):
        i -= 1
    return re.findall(r"\w+", re.split(r"[(:=]", codes[i])[0])[-1]


def begins_inside_a_raise(codes, begin, i):
    """Whether a line goes on with the message of an error."""
    k = i - 1
    while k >= begin and (not codes[k].strip() or indent(codes[k]) >= indent(codes[i])):
        k -= 1
    return k >= begin and re.match(r"\s*raise\b", codes[k]) is not None


def sample(candidates, count, seed):
    """`count` of each area, of all files and kinds alike."""
    rng = random.Random(seed)
    heaps = {}  # of an area, by file and kind
    for mutant in rng.sample(candidates, len(candidates)):
        area = heaps.setdefault(mutant.area, {})
        area.setdefault((mutant.file, mutant.kind), []).append(mutant)
    chosen = []
    for area in heaps.values():
        turns = itertools.zip_longest(*rng.sample(list(area.values()), len(area)))
        chosen += itertools.islice(filter(None, itertools.chain.from_iterable(turns)), count)
    return sorted(chosen, key=lambda m: (m.area, m.file, m.line))


# ---- the copy ------------------------------------------------------------------------------------


class Copy:
    """A tree of its own, built once; every command of the compiler is kept, to run it again."""

    def __init__(self, path, isa):
        self.path, self.isa = path, isa
        self.commands = path / "commands"
        self.environment = {
            **os.environ,
            "CC": str(path / "cc"),
            "PYML_ISA": isa,
            "PYTHONPATH": str(path),
            "PYTHONDONTWRITEBYTECODE": "1",  # of one second and one size, it would be taken as new
            "CI": "true",
        }
        self.environment.pop("PYML_WERROR", None)

    def make(self):
        """Copies what git knows, as it lies here, and builds it where that has changed."""
        names = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.split("\n")
        for name in filter(None, names):
            source, target = ROOT / name, self.path / name
            if not source.exists():
                target.unlink(missing_ok=True)
            elif not target.exists() or target.read_bytes() != source.read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
        for cache in self.path.rglob("__pycache__"):
            shutil.rmtree(cache)
        compiler = self.path / "cc"
        compiler.write_text(
            "#!/bin/bash\n"
            f"printf '%s\\n' \"$(printf '%q ' \"$@\")\" >> {shlex.quote(str(self.commands))}\n"
            f'case " $* " in *" -DISA_{self.isa} "*) level=-O1 ;; *) level=-O0 ;; esac\n'
            f'exec {os.environ.get("CC", "gcc")} "$@" $level\n'
        )
        compiler.chmod(0o755)
        self.run([sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"], 3600)

    def run(self, command, seconds):
        """Its output.

        Raises:
            subprocess.CalledProcessError, subprocess.TimeoutExpired
        """
        process = subprocess.Popen(
            command,
            cwd=self.path,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            raise
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command, output)
        return output

    def made_of(self, file):
        """(commands that compile a file and link it, what they write)."""
        lines = dict.fromkeys(self.commands.read_text().split("\n"))  # each once, in order
        words = [shlex.split(line) for line in lines if line.strip()]
        source, wanted = Path(file).with_suffix(".c").as_posix(), f"-DISA_{self.isa}"
        compiled = [
            command
            for command in words
            if "-c" in command
            and any(word in (source, str(self.path / source)) for word in command)
            and not any(word.startswith("-DISA_") and word != wanted for word in command)
        ]
        objects = {output_of(command) for command in compiled}
        linked = [c for c in words if "-c" not in c and objects & set(c)][-1:]
        return compiled + linked

    def build(self, file):
        """Compiles a file that was changed."""
        if file.endswith(".pyx"):  # setup.py calls Cython whatever the command
            self.run([sys.executable, "setup.py", "--quiet", "--name"], 600)
        for command in self.made_of(file):
            self.run([str(self.path / "cc"), *command], 600)
        module = self.path / output_of(command)
        shutil.copyfile(module, self.in_place(module))

    def in_place(self, module):
        """Where Python finds a module that was linked in build/lib..."""
        return self.path / Path(*module.relative_to(self.path / "build").parts[1:])

    def outcome(self, mutant, tests, seconds):
        """("noticed" | "survived" | "invalid" | "same" | "slow", the test or why)."""
        source = self.path / mutant.file
        text = source.read_text()
        lines = text.split("\n")
        if lines[mutant.line - 1] != mutant.before:
            return "invalid", "the line is another"
        lines[mutant.line - 1] = mutant.after
        built = [] if mutant.file.endswith(".py") else self.products(mutant.file)
        saved = {path: path.read_bytes() for path in built}
        source.write_text("\n".join(lines))
        try:
            try:
                if not built:
                    compile(source.read_text(), mutant.file, "exec")
                else:
                    self.build(mutant.file)
                    if built[-1].read_bytes() == saved[built[-1]]:
                        return "same", "the compiler makes the same of it"
            except subprocess.CalledProcessError as error:
                return "invalid", error.output.strip().split("\n")[-1]
            except SyntaxError as error:
                return "invalid", str(error)
            return self.test(mutant, tests, seconds)
        finally:
            source.write_text(text)
            for path, content in saved.items():
                path.write_bytes(content)

    def products(self, file):
        """What a file is compiled to; the module that Python finds is the last."""
        paths = [self.path / output_of(command) for command in self.made_of(file)]
        if file.endswith(".pyx"):
            paths.insert(0, self.path / (file.removesuffix(".pyx") + ".c"))
        return [*paths, self.in_place(paths[-1])]

    def test(self, mutant, tests, seconds):
        """First, as they may suffice, those of two files whose names have words of the mutant's."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        command += ["--isa", self.isa] * mutant.file.startswith("csrc/")
        words = words_of(mutant)
        try:
            if words:
                try:
                    self.run([*command, *tests[:2], "-k", " or ".join(words)], seconds)
                except subprocess.CalledProcessError as error:
                    if error.returncode != NO_TESTS:
                        raise
            self.run([*command, *tests], seconds)
        except subprocess.TimeoutExpired:
            return "slow", ""
        except subprocess.CalledProcessError as error:
            failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", error.output, re.M)
            return "noticed", failed[0] if failed else f"exit {error.returncode}"
        return "survived", ""


def output_of(command):
    return command[command.index("-o") + 1]


NO_TESTS = int(pytest.ExitCode.NO_TESTS_COLLECTED)
# what names of functions have that names of tests have not
COMMON = re.compile(
    r"add|backward|constants|derivative|double|each|forward|fused|gradients?|in|init|lambda|lanes?"
    r"|log|node|of|prepare|prob|range|slope|sum|the|to"
)


def words_of(mutant):
    """What the names of its function, and of the class or row that it is in, have of their own."""
    words = []
    for name in (mutant.function, mutant.owner):
        parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
        parts = [part.lower() for part in parts if not COMMON.fullmatch(part.lower())]
        words += ["_".join(parts), "".join(parts)]
    return [word for word in dict.fromkeys(words) if word]


def tests_for(file):
    for pattern, tests in TESTS:
        if fnmatch.fnmatch(file, pattern):
            paths = [test.format(stem=Path(file).stem) for test in tests]
            return [path for path in paths if (ROOT / path).exists()]
    raise LookupError(f"no tests for {file}; add them to TESTS")


# ---- the command ---------------------------------------------------------------------------------


def reason(mutant):
    """Why a change changes no result, or None."""
    for file, line, why in EQUIVALENT:
        if file == mutant.file and line in (mutant.before.strip(), mutant.after.strip()):
            return why
    return None


def results_of(path):
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {row["key"]: row for row in rows}


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true", help="print what can be broken, and stop")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="all of these words")
    parser.add_argument("--sample", type=int, metavar="N", help="as many of each area")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--seconds", type=float, default=300, help="for the tests of one change")
    parser.add_argument("--isa", default="avx2", help="the ISA that is compiled and runs")
    parser.add_argument("--again", action="store_true", help="try those again that survived")
    parser.add_argument("--copy", type=Path, default=ROOT / "build" / "mutants", metavar="DIR")
    parser.add_argument("--results", type=Path, metavar="FILE", help="default: DIR.jsonl")
    parser.add_argument("--report", action="store_true", help="print the results so far, and stop")
    return parser.parse_args()


def report(results):
    """Counts by area and kind, and the survivors."""
    counts = {}
    for row in results.values():
        count = counts.setdefault((row["area"], row["kind"]), {})
        count[row["outcome"]] = count.get(row["outcome"], 0) + 1
    for (area, kind), count in sorted(counts.items()):
        print(f"{area:12} {kind:11}", *(f"{n} {outcome}" for outcome, n in sorted(count.items())))
    for row in results.values():
        if row["outcome"] == "survived":
            print(f"\n{row['name']}\n{row['diff']}")


def main():
    options = arguments()
    results_path = options.results or options.copy.with_suffix(".jsonl")
    if options.report:
        report(results_of(results_path))
        return 0
    candidates = [m for m in mutants() if all(word in str(m) for word in options.only)]
    candidates = [m for m in candidates if reason(m) is None]
    if options.sample is not None:
        candidates = sample(candidates, options.sample, options.seed)
    if options.list:
        for mutant in candidates:
            print(f"{mutant}\n{mutant.diff()}")
        print(f"{len(candidates)} changes")
        return 0
    options.copy.mkdir(parents=True, exist_ok=True)
    copy = Copy(options.copy.resolve(), options.isa)
    copy.make()
    done = results_of(results_path)
    survivors = 0
    for mutant in candidates:
        if mutant.key in done and not (options.again and done[mutant.key]["outcome"] == "survived"):
            continue
        begin = time.monotonic()
        outcome, test = copy.outcome(mutant, tests_for(mutant.file), options.seconds)
        row = {
            "key": mutant.key,
            "area": mutant.area,
            "kind": mutant.kind,
            "outcome": outcome,
            "test": test,
            "seconds": round(time.monotonic() - begin, 1),
            "name": str(mutant),
            "diff": mutant.diff(),
        }
        with results_path.open("a") as file:
            print(json.dumps(row), file=file)
        survivors += outcome == "survived"
        print(f"{outcome:9} {row['seconds']:6} s  {mutant}  {test}", flush=True)
        if outcome == "survived":
            print(mutant.diff(), flush=True)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
