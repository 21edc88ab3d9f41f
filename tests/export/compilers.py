"""C compilers that are here, and programs that they make of exported files."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest

STRICT = ["-std=c99", "-O2", "-Wall", "-Wextra", "-pedantic", "-Wconversion", "-Wdouble-promotion"]
STRICT += ["-Werror"]
HOSTED = ["gcc", "clang"]
FOREIGN = {  # {compiler: (options, what runs its programs: either)}
    "aarch64-linux-gnu-gcc": (["-static"], ("qemu-aarch64", "qemu-aarch64-static")),
}
BARE = {
    "arm-none-eabi-gcc": ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"]
}


def needed(*programs):
    """The first of the programs that is here; skips the test if none is."""
    found = next(filter(shutil.which, programs), None)
    if found is None:
        pytest.skip(f"{' or '.join(programs)} is not installed")
    return found


def run(*words, **options):
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}"[:4000]
    return done.stdout


def library(compiler, folder, headers):
    """Headers as a shared library, with run_NAME(x, y) for each."""
    needed(compiler)
    lines = [f'#include "{name}.h"' for name in headers]
    lines += [
        f"int run_{n}(const void *x, void *y);\n"
        f"int run_{n}(const void *x, void *y) {{ return {n}_predict(x, y); }}\n"
        f"int test_{n}(void);\nint test_{n}(void) {{ return {n}_self_test(); }}"
        for n in headers
    ]
    source, target = folder / f"all_{compiler}.c", folder / f"all_{compiler}.so"
    source.write_text("\n".join(lines) + "\n")
    run(compiler, *STRICT, "-fPIC", "-shared", "-o", target, source, "-lm")
    return ctypes.CDLL(str(target))


def rows_through(loaded, name, x, shape, dtype=np.float32):
    """Rows through run_NAME; x is an array whose rows are the bytes of inputs."""
    x = np.ascontiguousarray(x)
    y = np.full((len(x), *shape), np.nan, dtype)
    for i in range(len(x)):
        given = [v[i : i + 1].ctypes.data_as(ctypes.c_void_p) for v in (x, y)]
        assert getattr(loaded, f"run_{name}")(*given) == 0
    return y


def self_tests(compiler, folder, headers):
    """What the self-tests of headers return, of a program for another processor."""
    options, runners = FOREIGN[compiler]
    needed(compiler)
    runner = needed(*runners)
    lines = [
        *(f'#include "{name}.h"' for name in headers),
        "#include <stdio.h>",
        "int main(void)",
        "{",
    ]
    lines += [f'    printf("{n} %d\\n", {n}_self_test());' for n in headers]
    source, target = folder / "tests.c", folder / f"tests_{compiler}"
    source.write_text("\n".join([*lines, "    return 0;", "}"]) + "\n")
    run(compiler, *STRICT, *options, "-o", target, source, "-lm")
    return {line.split()[0]: int(line.split()[1]) for line in run(runner, target).splitlines()}
