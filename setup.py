"""Builds pyml: every file of csrc/kernels once per ISA and dtype, then the Cython modules, of which
_kernels links the objects. The command build_csrc compiles csrc/ alone.

Environment:
    PYML_WERROR=1     warnings of the C compiler are errors (development, CI)
    PYML_SANITIZE=1   AddressSanitizer and UndefinedBehaviorSanitizer
    PYML_SYMBOLS=1    keeps the symbols that a profiler names functions by
    PYML_WIDE=1       adds the ISA "wide": AVX-512's vector length without its instructions, and
                      AMX's tiles in C, for tests on CPUs without them

On Windows the compiler is clang-cl. For another platform than this one, with CC a cross compiler,
_PYTHON_HOST_PLATFORM is its name, as Python's or the compiler's: linux-aarch64, aarch64-macos.
"""

import gzip
import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import Cython
import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "csrc"))

from structs import CONTRACTS, read_structs  # noqa: E402  (it lies beside what it reads)

CSRC = Path("csrc")
OBJECTS = Path("build") / "csrc"
GENERATED = Path("build") / "generated"

X86_64 = {
    "baseline": ["-Os"],  # for CPUs of before 2013
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx2", "-mfma", "-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl"],
}
ANY_X86_64 = ["-march=x86-64"]
PLATFORM = sysconfig.get_platform()
ARCHITECTURE = shlex.split(os.environ.get("ARCHFLAGS", ""))  # of macOS: -arch arm64
if PLATFORM.endswith("universal2"):  # python.org's Python; the kernels are for one machine
    machine = ARCHITECTURE[1] if len(ARCHITECTURE) == 2 else platform.machine()
    ARCHITECTURE = ["-arch", machine]
    PLATFORM = f"macosx-{'11.0' if machine == 'arm64' else '10.13'}-{machine}"
    os.environ.update(ARCHFLAGS=shlex.join(ARCHITECTURE), _PYTHON_HOST_PLATFORM=PLATFORM)
NEON = {"neon": [], "baseline": []}
MACHINES = {
    "x86_64": X86_64,
    "amd64": X86_64,
    "aarch64": NEON,
    "arm64": NEON,
    "wasm32": {"baseline": ["-msimd128"]},  # every browser has it since 2023
}
ISAS = next((isas for name, isas in MACHINES.items() if name in PLATFORM), {"baseline": []})
IS_WINDOWS = PLATFORM.startswith("win") or "-windows" in PLATFORM
IS_MACOS = "macos" in PLATFORM
IS_WEB = "wasm" in PLATFORM
REAL_BITS = (32, 64)

CC = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "clang-cl")
if shutil.which(CC[0]) is None:
    advice = "install LLVM" if IS_WINDOWS else "apt install gcc, or the like"
    sys.exit(f"pyml: there is no C compiler {CC[0]!r}: {advice}; CC= names one")
IS_CL = Path(CC[0]).stem == "clang-cl"
if IS_CL:  # Python's machine, whatever LLVM was built for, and its C library, a DLL; and no checks
    # of stacks, which other compilers do not make either: a fortieth of the wheel
    target = {"win32": "i686", "win-amd64": "x86_64", "win-arm64": "aarch64"}[PLATFORM]
    CC += [f"--target={target}-pc-windows-msvc", "/MD", "/GS-"]
UNITS = {  # csrc/bfloat16, for float32: unit -> (ISA that it goes with, flags)
    "avx512": ("avx512", ["-mavx512bf16"]),
    "amx": ("avx512", ["-mavx512bf16", "-mamx-tile", "-mamx-bf16"]),
    "bfmmla": ("neon", ["-march=armv8.2-a+bf16"]),
}


def spelled(flags):
    """Flags of GCC and Clang as the compiler takes them: clang-cl's are those of MSVC."""
    if not IS_CL:
        return flags
    return [flag if flag.startswith(("-D", "-I")) else f"/clang:{flag}" for flag in flags]


def compiles(flags):
    """Whether the C compiler takes the flags. (clang-cl, which does not read its input, does.)"""
    command = [*CC, *flags, "-Werror", "-fsyntax-only", "-x", "c", "-"]
    return (
        IS_CL or subprocess.run(command, input="", text=True, capture_output=True).returncode == 0
    )


DEFINES = []
FLAGS = [
    "-std=c11",
    "-O3",
    *([] if IS_WINDOWS else ["-fPIC"]),
    *(ARCHITECTURE if IS_MACOS else []),
    "-ffp-contract=off",  # a product is rounded unless vfma is written: see csrc/simd/vec.h
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fvisibility=hidden",
    "-Wall",
    "-Wextra",
    "-Wno-psabi",  # vectors are passed between inlined functions only
]
if ISAS is X86_64 and compiles(ANY_X86_64):  # zig cc spells it otherwise, and needs it not
    ISAS = {isa: [*ANY_X86_64, *flags] for isa, flags in X86_64.items()}
LINK = [] if IS_WINDOWS else ["-lm"] if IS_WEB else ["-pthread", "-lm"]
UNITS = {  # those that the compiler knows
    unit: (isa, flags) for unit, (isa, flags) in UNITS.items() if isa in ISAS and compiles(flags)
}
if os.environ.get("PYML_WERROR") == "1":
    FLAGS += ["-Werror"]
if os.environ.get("PYML_WIDE") == "1" and "avx2" in ISAS:
    ISAS["wide"] = ISAS["avx2"]
    DEFINES += ["-DPYML_WIDE"]
    if "avx512" in UNITS:
        UNITS["amx_model"] = UNITS["avx512"]
DEFINES += [f"-DUNIT_{unit}" for unit in UNITS]
SANITIZE = []
if os.environ.get("PYML_SANITIZE") == "1":
    SANITIZE = [
        "-O1",  # with checks in every loop, -O3 takes many minutes
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=undefined",
        "-fno-omit-frame-pointer",
        "-g",
    ]
SMALL, STRIP = [], []
if not SANITIZE and os.environ.get("PYML_SYMBOLS") != "1":
    SMALL = ["-g0"]
    if not IS_WINDOWS:  # where unwinding takes a function without a table for one without a frame
        SMALL += ["-fno-asynchronous-unwind-tables"]  # what debuggers and profilers read
    STRIP = [] if IS_CL else ["-Wl,-x"] if IS_MACOS else ["-Wl,-s"]
    if PLATFORM.startswith("linux"):  # by which debuggers find symbols, and there are none
        STRIP += ["-Wl,--build-id=none"]

# The extension modules that run when a step is recorded, checked or refused, or when a run of many
# begins and ends, and operations that steps rarely have: -Os makes them a third smaller, and
# slower. What runs in every step stays at -O2.
SEAM_FOR_SIZE = {
    "pyml.attributes",
    "pyml.grad_mode",
    "pyml.ops.class_loss",
    "pyml.ops.clip_grad",
    "pyml.ops.comparison",
    "pyml.ops.inplace",
    "pyml.ops.jets",
    "pyml.ops.matmul",
    "pyml.ops.numpys",
    "pyml.ops.segments",
    "pyml.ops.special",
    "pyml.recording.allocations",
    "pyml.recording.assembly",
    "pyml.recording.audit",
    "pyml.recording.diagnostics",
    "pyml.recording.host_calls",
    "pyml.recording.interrupts",
    "pyml.recording.layout",
    "pyml.recording.listener",
    "pyml.recording.outputs",
    "pyml.recording.refusal",
    "pyml.recording.run",
    "pyml.recording.slices",
    "pyml.recording.trace",
    "pyml.recording.turns",
    "pyml.recording.verdict",
    "pyml.recording.world",
}
# GCC alone: what Cython marks unlikely (errors) is taken for never, so made small and put apart;
# and no code is doubled or padded for a speed that steps do not show. A tenth smaller.
IS_GCC = (
    not IS_CL
    and "gcc version" in subprocess.run([*CC, "-v"], capture_output=True, text=True).stderr
)
# Kernels that -O3 of GCC makes longer and no faster, those with a loop for each of many types
# several times.
FOR_SIZE = {}
if IS_GCC:
    ENOUGH = ("-O2", "-fvect-cost-model=dynamic")
    FOR_SIZE = dict.fromkeys(
        ["cast", "class_loss", "clip", "compare", "diagnostics", "image", "prelu"],
        ENOUGH,
    )
# A loop that asks the same within each time stays one: two are no faster, and much longer.
ONE_LOOP = ["-fno-unswitch-loops"] if IS_GCC else []
SEAM_OF_GCC = [
    *["--param", "builtin-expect-probability=100", "-freorder-blocks-algorithm=simple"],
    *["-fno-tree-pre", "-fno-gcse"],
    *["-falign-jumps=1", "-falign-loops=1", "-falign-labels=1"],
]
# Python's functions are called by address, without a jump between.
SEAM_OF_ELF = ["-fno-plt"] if PLATFORM.startswith("linux") else []
LIST_READ = [] if IS_CL else ["-MMD"]  # see is_current
# What newer compilers refuse: Cython does not see that a struct of Python is declared as another.
POINTERS = ["-Werror=incompatible-pointer-types"]
CYTHON = "pyml._cython"  # the functions that Cython's modules share: without it each has its own

FIELD_KINDS = {"double": "DOUBLE", "int": "INT", "ptrdiff_t": "INT64", "int64_t": "INT64"}


def write_generated():
    """Writes what follows from the structs of csrc/contracts:

    - argument_fields.h, for csrc/arguments.c: a table of the fields of each struct of arguments
      or of options, and whether arguments have segments;
    - contract_<name>.pxd of each header: its structs, for Cython.

    Raises:
        KeyError: for a type that arguments and options do not have.
    """
    table = []
    for header in CONTRACTS:
        structs = read_structs(header.read_text())
        if not structs:
            continue
        declarations = ["from libc.stdint cimport int64_t, uint8_t, uint64_t"]
        if "optim_segment" not in structs and has_segments(chain(*structs.values())):
            declarations.append("from contract_optim cimport optim_segment")
        declarations += ["", f'cdef extern from "contracts/{header.name}" nogil:']
        for struct, fields in structs.items():
            declarations += declaration_of(struct, fields)
            if struct.endswith(("_args", "_options")):
                table += fields_of(struct, fields)
        write_if_changed(GENERATED / f"contract_{header.stem}.pxd", declarations)
    write_if_changed(GENERATED / "argument_fields.h", table)


def declaration_of(struct, fields):
    """Lines of Cython."""
    lines = [f"    ctypedef struct {struct}:"]
    for field in fields:
        const, star = "const " * field.is_const, "*" * field.is_pointer
        size = f"[{field.count}]" if field.count > 1 else ""
        lines.append(f"        {const}{field.kind} {star}{field.name}{size}")
    return lines


def fields_of(struct, fields):
    """Lines of C."""
    lines = [f"static const argument_field fields_of_{struct}[] = {{"]
    for field in fields:
        word = "POINTER" if field.is_pointer else FIELD_KINDS[field.kind]
        lines.append(
            f'    {{"{field.name}", FIELD_{word}, '
            f"offsetof({struct}, {field.name}), {field.count}}},"
        )
    has = int(has_segments(fields))
    return [*lines, "    {0},", "};", f"enum {{ HAS_SEGMENTS_{struct} = {has} }};"]


def has_segments(fields):
    return any(field.kind == "optim_segment" for field in fields)


def write_if_changed(path, lines):
    """A file that is as it should be keeps its time: nothing is built anew because of it."""
    text = "\n".join([*lines, ""])
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def is_current(target):
    """Whether a compiled file is newer than all that the compiler read for it, by its own word:
    -MMD lists the files in a .d beside the target."""
    read = target.with_suffix(".d")
    if not (target.exists() and read.exists()):
        return False
    names = read.read_text().replace("\\\n", " ").partition(":")[2].split()
    built = target.stat().st_mtime
    return all(os.path.exists(name) and os.path.getmtime(name) < built for name in names)


class BuildKernels(build_ext):
    """build_ext that compiles the kernels, in parallel, before the modules."""

    def run(self):
        if self.editable_mode:  # setuptools would build all anew, in a temporary directory
            build = Path("build") / f"editable-{sys.implementation.cache_tag}"
            self.build_temp, self.build_lib = str(build / "temp"), str(build / "lib")
        self.parallel = self.parallel or os.cpu_count() or 1
        super().run()

    def build_extensions(self):
        if IS_CL:
            if not self.compiler.initialized:  # as it is where --plat-name is another machine
                self.compiler.initialize()  # finds the linker, and sets what is changed here
            self.compiler.cc = CC[0]
            self.compiler.compile_options.remove("/GL")  # MSVC's alone
            self.compiler.compile_options += CC[1:]
        objects = self.compile_kernels()
        for extension in self.extensions:
            if extension.name == "pyml._kernels":
                extension.extra_objects = objects
                extension.depends = objects  # linked anew when one of them is
        super().build_extensions()

    def build_extension(self, extension):
        source = Path(extension.sources[0])
        compiled = Path(self.build_temp, source).with_suffix(".o")
        if not is_current(compiled):  # what depends on a file that is not there is built
            extension.depends = [*extension.depends, str(compiled.with_suffix(".never"))]
        super().build_extension(extension)

    def compile_kernels(self):
        """Compiles csrc/ and returns the object files. They are kept from build to build: an object
        is named by the command that makes it, and made anew when what it was made of is newer."""
        jobs = []
        for source in sorted(CSRC.glob("*.c")):
            jobs.append((source, source.stem, [*DEFINES, f"-I{GENERATED}"]))
        for source in sorted((CSRC / "kernels").glob("*.c")):
            for isa, isa_flags in ISAS.items():
                for bits in REAL_BITS:
                    flags = [*FOR_SIZE.get(source.stem, ()), *isa_flags]
                    flags += [f"-DISA_{isa}", f"-DREAL_BITS={bits}"]
                    jobs.append((source, f"{source.stem}_{isa}_f{bits}", flags))

        for unit, (isa, unit_flags) in UNITS.items():
            source, name = CSRC / "bfloat16" / "product.c", f"product_{unit}"
            flags = [*FOR_SIZE.get(name, ()), *ISAS[isa], *unit_flags]
            flags += [f"-DUNIT_{unit}", f"-DISA_{isa}", "-DREAL_BITS=32"]
            jobs.append((source, name, flags))

        def compile_one(job):
            source, name, flags = job
            command = [*CC, *spelled([*FLAGS, *ONE_LOOP, *SMALL, *flags, *SANITIZE])]
            digest = hashlib.sha256(" ".join(command).encode()).hexdigest()[:8]
            target = OBJECTS / f"{name}-{digest}.o"
            if not is_current(target):
                OBJECTS.mkdir(parents=True, exist_ok=True)
                listed = spelled(["-MMD", f"-MF{target.with_suffix('.d')}"])
                self.spawn([*command, *listed, "-c", str(source), "-o", str(target)])
            return str(target)

        with ThreadPoolExecutor(self.parallel) as pool:
            return list(pool.map(compile_one, jobs))


class BuildCsrc(BuildKernels):
    """build_csrc: the C alone, for a platform that may be another; and a program with it."""

    user_options = [  # noqa: RUF012 (a list, or setuptools refuses it)
        ("program=", None, "a C file with main, to be linked with it"),
        ("output=", None, "the program"),
    ]

    def initialize_options(self):
        super().initialize_options()
        self.program = self.output = None

    def build_extensions(self):
        objects = self.compile_kernels()
        if self.program is not None:
            include = [f"-I{Path(self.output).parent}", f"-I{CSRC}"]
            command = [*CC, *spelled([*FLAGS, *SANITIZE, *include]), self.program, *objects]
            self.spawn([*command, "-o", self.output, *LINK])


class BdistWheel(bdist_wheel):
    """bdist_wheel with a list of what is in the wheel and its licences (PEP 770, CycloneDX 1.6),
    packed as small as zlib can."""

    def run(self):
        super().run()
        for command, _, path in self.distribution.dist_files:
            if command == "bdist_wheel":
                self.pack(path)

    def pack(self, path):
        """The same files, in the same order, with the same times."""
        with zipfile.ZipFile(path) as wheel:
            members = [(member, wheel.read(member)) for member in wheel.infolist()]
        with zipfile.ZipFile(path, "w") as wheel:
            for member, content in members:
                wheel.writestr(member, content, zipfile.ZIP_DEFLATED, compresslevel=9)

    def write_wheelfile(self, wheelfile_base, *args, **options):
        super().write_wheelfile(wheelfile_base, *args, **options)
        metadata = self.distribution.metadata
        name, version = metadata.get_name(), metadata.get_version()

        def component(kind, name, licence, **more):
            return {"type": kind, "name": name, "licenses": [{"license": {"id": licence}}], **more}

        purl = {"version": version, "purl": f"pkg:pypi/{name}@{version}"}
        page = "https://doi.org/10.24432/C50P49"
        digits = {"externalReferences": [{"type": "website", "url": page}]}
        content = {
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": {"component": component("library", name, "MIT", **purl)},
            # all code is pyml's own; Cython's part of what it generates is Apache-2.0
            "components": [
                component("data", "pyml/data/digits.npy", "CC-BY-4.0", **digits),
                component("library", "Cython", "Apache-2.0", version=Cython.__version__),
            ],
        }
        path = Path(wheelfile_base, "sboms", f"{name}.cdx.json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n")


class Sdist(sdist):
    """sdist that gives the same bytes of the same files, whoever makes it and where, at the time
    SOURCE_DATE_EPOCH."""

    def make_archive(self, base_name, format, root_dir=None, base_dir=None, **options):
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if format != "gztar" or epoch is None:
            return super().make_archive(base_name, format, root_dir, base_dir, **options)

        def anonymous(member):
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime = int(epoch)
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            return member

        path = f"{base_name}.tar.gz"
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with (
            open(path, "wb") as raw,
            gzip.GzipFile("", "wb", mtime=int(epoch), fileobj=raw) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for file in sorted(Path(base_dir).rglob("*")):
                if not file.is_dir():
                    archive.add(file, filter=anonymous)
        return path


def seam_module(name, sources):
    """An extension module of Cython."""
    return Extension(
        name,
        sources,
        include_dirs=[numpy.get_include(), str(CSRC)],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        extra_compile_args=spelled(
            [
                "-Os" if name in SEAM_FOR_SIZE else "-O2",
                *(SEAM_OF_GCC if IS_GCC else []),
                *SEAM_OF_ELF,
                *LIST_READ,
                *POINTERS,
                "-fvisibility=hidden",
                *SMALL,
                *SANITIZE,
            ]
        ),
        extra_link_args=[*LINK, *SANITIZE, *STRIP],
    )


def seam():
    """The extension modules: one of each .pyx file, and what they share."""
    paths = {".".join(path.with_suffix("").parts): path for path in Path("pyml").rglob("*.pyx")}
    if missing := SEAM_FOR_SIZE - paths.keys():
        sys.exit(f"setup.py: SEAM_FOR_SIZE names modules that are not there: {sorted(missing)}")
    modules = [seam_module(name, [str(path)]) for name, path in sorted(paths.items())]
    return [*modules, seam_module(CYTHON, [])]


os.chdir(ROOT)
write_generated()
setup(
    ext_modules=cythonize(
        seam(),
        include_path=[str(GENERATED)],
        nthreads=os.cpu_count() or 1,
        shared_utility_qualified_name=CYTHON,
        # much code, and no module has a typed memoryview: one that had could not be imported
        shared_utility_features_disabled=["MemoryView"],
        compiler_directives={
            "language_level": 3,
            "embedsignature": True,
            # for inspect.signature, of methods of C; a class has its own in its docstring
            "embedsignature.format": "clinic",
            # None in a typed argument or variable is an exception, never a pointer
            "allow_none_for_extension_args": False,
            "nonecheck": True,
            "auto_pickle": False,  # an object that a pickle filled would pass every constructor
            "freethreading_compatible": True,  # what threads share is guarded: pyml/no_gil.pxd
        },
    ),
    cmdclass={
        "build_ext": BuildKernels,
        "build_csrc": BuildCsrc,
        "bdist_wheel": BdistWheel,
        "sdist": Sdist,
    },
)
