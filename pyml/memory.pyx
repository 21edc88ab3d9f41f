"""Memory of results: blocks that are used again.

A training step needs the sizes that the one before it freed. Taking them from the system anew costs a page fault for
every 4 KiB, more than many kernels take. So a freed block waits here for the next array of its size. The blocks in
use and those waiting are together never more than KEPT times the most that was in use at one time: where a new block
would exceed that, waiting ones are given back first.

Blocks begin on a cache line (64 bytes). Large ones ask for huge pages, which spare the address translation: of Linux
only, and harmless elsewhere. Those that are smaller than two such pages are cut from a region of some, which goes back
to the system with its last block; blocks that were given back before are holes, from which others are cut. Changed
under the GIL, or where there is none under a lock.
"""
cimport cython
cimport numpy as cnp
from cpython.buffer cimport PyBuffer_FillInfo
from cpython.ref cimport PyObject
from libc.stdlib cimport free, realloc
from libc.string cimport memset
from numpy cimport ndarray, npy_intp

from pyml.no_gil cimport NO_GIL, added, pyml_lock, pyml_mutex, pyml_unlock
from pyml.recorder cimport Recorder, of_thread, recorder

cnp.import_array()

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject *)   # not of `object`: for an attribute, Cython would count its own reference

cdef extern from "system.h" nogil:
    void *system_aligned(size_t alignment, size_t size)
    void system_free(void *memory)
    void system_huge_pages(void *memory, size_t size)
    enum: SYSTEM_HAS_HUGE_PAGES

cdef extern from *:
    """
    #if !defined(__has_feature) /* Clang's; GCC defines __SANITIZE_ADDRESS__ */
    #define __has_feature(name) 0
    #endif
    #if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
    enum { KEEPS_BLOCKS = 0 }; /* every array is the system's, so that a use after it is freed is seen */
    #else
    enum { KEEPS_BLOCKS = 1 };
    #endif
    #define LAST_BIT(n) (63 - __builtin_clzll(n))
    """
    bint KEEPS_BLOCKS
    int LAST_BIT(unsigned long long n)

cdef enum:
    LINE = 64
    HUGE_PAGE = 1 << 21
    CUT_FROM = 1 << 17         # bytes of a block that is cut from a region
    REGION = 4 * HUGE_PAGE
    STEPS = 8       # sizes from one power of two to the next: at most an eighth of a block is not used
    SLAB = 1 << 16  # an arena's unit
    KEPT = 2        # phases of a step have sizes of their own; with 1.5, steps of some networks go to the system

cdef struct Hole:        # what no block has of a region; no two touch
    Hole *next           # behind this one
    size_t size          # bytes

cdef struct Region:      # its first line; each block of it has a line before it that says which region this is
    Region *next         # made before this one
    Hole *holes
    size_t size          # bytes behind this line: one hole if there is no block

cdef pyml_mutex pool
cdef Region *regions = NULL   # the newest first, as there is room in it
cdef Waiting *waiting[SIZES]
cdef size_t used_bytes = 0, waiting_bytes = 0, peak_bytes = 0
cdef unsigned long long system_calls = 0


cdef int size_index(size_t bytes) noexcept:
    """The smallest size that holds them."""
    cdef size_t lines = (bytes + LINE - 1) // LINE
    if lines <= STEPS:
        return 0 if lines == 0 else <int>lines - 1
    cdef int shift = LAST_BIT(lines - 1) - LAST_BIT(STEPS)
    return shift * STEPS + <int>((lines - 1) >> shift)


cdef size_t size_bytes(int index) noexcept:
    cdef int shift = 0 if index < 2 * STEPS else index // STEPS - 1
    return <size_t>(index - shift * STEPS + 1) << shift << 6


cdef bint is_cut(size_t size) noexcept:
    """Whether a block of so many bytes is a part of a region."""
    return SYSTEM_HAS_HUGE_PAGES and KEEPS_BLOCKS and CUT_FROM <= size < 2 * HUGE_PAGE


cdef void *asked_for(size_t size) noexcept:
    """From the system; NULL if there is no memory."""
    cdef size_t alignment = HUGE_PAGE if size >= 2 * HUGE_PAGE else LINE
    cdef void *memory = system_aligned(alignment, size)
    added(system_calls, 1)
    if memory != NULL and alignment == HUGE_PAGE:
        system_huge_pages(memory, size // HUGE_PAGE * HUGE_PAGE)
    return memory


cdef void *from_system(size_t size) noexcept:
    """NULL if there is no memory. Call it with the pool locked."""
    cdef Region *of = regions
    cdef void *memory
    if not is_cut(size):
        return asked_for(size)
    while of != NULL:
        memory = cut_from(of, size)
        if memory != NULL:
            return memory
        of = of.next
    of = new_region(REGION)
    if of == NULL:
        of = new_region(2 * LINE + size)
    return NULL if of == NULL else cut_from(of, size)


cdef Region *new_region(size_t size) noexcept:
    """NULL if there is no memory."""
    global regions
    cdef Region *of = <Region *>asked_for(size)
    if of != NULL:
        of.next, of.size = regions, size - LINE
        of.holes = <Hole *>(<char *>of + LINE)
        of.holes[0] = Hole(NULL, of.size)
        regions = of
    return of


cdef void *cut_from(Region *of, size_t size) noexcept:
    """A block from the first hole that has room for it and its line; NULL if there is none."""
    cdef Hole **at = &of.holes
    cdef Hole *hole
    cdef size_t cut = LINE + size
    while at[0] != NULL and at[0].size < cut:
        at = &at[0].next
    hole = at[0]
    if hole == NULL:
        return NULL
    if hole.size == cut:
        at[0] = hole.next
    else:
        at[0] = <Hole *>(<char *>hole + cut)
        at[0][0] = Hole(hole.next, hole.size - cut)
    (<Region **>hole)[0] = of
    return <char *>hole + LINE


cdef void to_system(void *memory, size_t size) noexcept:
    """What from_system gave: a part of a region is a hole, until all of it is. Call it with the pool locked."""
    cdef Region **at = &regions
    cdef Region *of
    if is_cut(size):
        of = (<Region **>(<char *>memory - LINE))[0]
        put_hole(of, <char *>memory - LINE, LINE + size)
        if of.holes.size < of.size:
            return
        while at[0] != of:
            at = &at[0].next
        at[0] = of.next
        memory = of
    added(system_calls, 1)
    system_free(memory)


cdef void put_hole(Region *of, char *begin, size_t size) noexcept:
    """Joined with those before and behind it."""
    cdef Hole *before = NULL
    cdef Hole *behind = of.holes
    cdef Hole *hole = <Hole *>begin
    while behind != NULL and <char *>behind < begin:
        before, behind = behind, behind.next
    if behind != NULL and begin + size == <char *>behind:
        size += behind.size
        behind = behind.next
    if before != NULL and <char *>before + before.size == begin:
        before[0] = Hole(behind, before.size + size)
        return
    hole[0] = Hole(behind, size)
    if before == NULL:
        of.holes = hole
    else:
        before.next = hole


cdef void give_back(size_t bytes) noexcept:
    """Gives waiting blocks to the system, the largest first, until `bytes` are given or none is left."""
    global waiting_bytes
    cdef size_t before = waiting_bytes
    cdef Waiting *block
    cdef int index = SIZES - 1
    while index >= 0 and before - waiting_bytes < bytes:
        block = waiting[index]
        if block == NULL:
            index -= 1
            continue
        waiting[index] = block.next
        waiting_bytes -= size_bytes(index)
        to_system(block, size_bytes(index))


@cython.final
@cython.no_gc
cdef class Arena:
    """Arena(recorder)\n--\n\nThe memory of a recorded step. While it is open, what is freed is used again within it, as the calls of a replay
    keep their order; all of it goes back to the system with it. Small blocks lie side by side."""

    def __cinit__(self, Recorder recorder):
        self.recorder = recorder

    def __dealloc__(self):
        cdef Py_ssize_t i
        pyml_lock(&pool)
        for i in range(self.taken_count):
            to_system(self.taken[i].memory, self.taken[i].size)
        pyml_unlock(&pool)
        free(self.taken)

    cdef void close(self):
        """From now on nothing is used again."""
        self.recorder = None

    cdef void *from_slab(self, size_t size) except NULL:
        """Of memory that is taken in large pieces."""
        cdef size_t piece = size if size > SLAB // 4 else SLAB
        cdef void *memory
        cdef Taken *larger
        if size > self.left:
            larger = <Taken *>realloc(self.taken, (self.taken_count + 1) * sizeof(Taken))
            if larger == NULL:
                raise MemoryError()
            self.taken = larger
            pyml_lock(&pool)
            memory = from_system(piece)
            pyml_unlock(&pool)
            if memory == NULL:
                raise MemoryError(f"no memory for a result of {size} bytes in a recorded step")
            larger[self.taken_count] = Taken(memory, piece)
            self.taken_count += 1
            self.bytes += piece
            if piece == size:
                return memory
            self.slab, self.left = <char *>memory, piece
        memory = self.slab
        self.slab += size
        self.left -= size
        return memory

    cdef Block block(self, int index):
        cdef Block block = Block.__new__(Block)
        cdef Waiting *memory
        self.take_back()
        memory = self.waiting[index]
        if memory != NULL:
            self.waiting[index] = memory.next
        else:
            memory = <Waiting *>self.from_slab(size_bytes(index))
        if self.recorder is not None:
            self.recorder.allocated(memory, size_bytes(index))
        block.memory, block.index, block.arena = memory, index, self
        return block

    cdef void give(self, void *memory, int index):
        cdef Waiting *block = <Waiting *>memory
        if self.recorder is None:
            return
        if NO_GIL and of_thread() is not self.recorder:   # which is the business of its own thread
            pyml_lock(&pool)
            block.index, block.next = index, self.returned
            self.returned = block
            pyml_unlock(&pool)
            return
        self.recorder.freed(memory)
        block.next = self.waiting[index]
        self.waiting[index] = block

    cdef void take_back(self):
        """Hears of the blocks that other threads have freed."""
        cdef Waiting *block
        cdef Waiting *after
        if not NO_GIL:
            return
        pyml_lock(&pool)
        block, self.returned = self.returned, NULL
        pyml_unlock(&pool)
        while block != NULL:
            after = block.next
            self.give(block, block.index)
            block = after

    cdef bint waits(self, const void *memory) noexcept:
        """Whether a block begins there that was freed while the arena was open, and not used again."""
        cdef Waiting *block
        cdef int index
        for index in range(SIZES):
            block = self.waiting[index]
            while block != NULL:
                if block == memory:
                    return True
                block = block.next
        return False


@cython.final
@cython.no_gc
cdef class Block:
    """Block()\n--\n\nOwns the memory of one array: its base."""

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        """By this NumPy knows that the memory may be written."""
        if self.memory == NULL:
            raise BufferError("a Block that no array was given has no memory")
        PyBuffer_FillInfo(buffer, self, self.memory, size_bytes(self.index), 0, flags)

    def __dealloc__(self):
        global used_bytes, waiting_bytes
        if self.memory == NULL:
            return
        if self.arena is not None:
            self.arena.give(self.memory, self.index)
            return
        pyml_lock(&pool)
        used_bytes -= size_bytes(self.index)
        if KEEPS_BLOCKS:
            waiting_bytes += size_bytes(self.index)
            (<Waiting *>self.memory).next = waiting[self.index]
            waiting[self.index] = <Waiting *>self.memory
        else:
            to_system(self.memory, size_bytes(self.index))
        pyml_unlock(&pool)


cdef Block new_block(size_t bytes):
    cdef Recorder r = recorder()
    return pool_block(bytes) if r is None else (<Arena>r.arena).block(size_index(bytes))


cdef Block pool_block(size_t bytes):
    global used_bytes, waiting_bytes, peak_bytes
    cdef Block block = Block.__new__(Block)
    cdef int index = size_index(bytes)
    cdef size_t size = size_bytes(index)
    cdef size_t most
    cdef void *memory
    pyml_lock(&pool)
    most = KEPT * max(peak_bytes, used_bytes + size)
    memory = waiting[index]
    if memory != NULL:
        waiting[index] = waiting[index].next
        waiting_bytes -= size
    else:
        if used_bytes + waiting_bytes + size > most:
            give_back(used_bytes + waiting_bytes + size - most)
        memory = from_system(size)
        if memory == NULL:
            give_back(waiting_bytes)
            memory = from_system(size)
        if memory == NULL:
            pyml_unlock(&pool)
            raise MemoryError(f"no memory for an array of {bytes} bytes")
    used_bytes += size
    peak_bytes = max(peak_bytes, used_bytes)
    pyml_unlock(&pool)
    block.memory, block.index = memory, index
    return block


cdef size_t item_bytes(int type_number) noexcept:
    """Of the types that a Tensor can have."""
    if type_number in (cnp.NPY_FLOAT32, cnp.NPY_INT32, cnp.NPY_UINT32):
        return 4
    if type_number in (cnp.NPY_BOOL, cnp.NPY_INT8, cnp.NPY_UINT8):
        return 1
    return 2 if type_number in (cnp.NPY_INT16, cnp.NPY_UINT16) else 8


cdef size_t array_bytes(int ndim, const npy_intp *shape, int type_number) except 0:
    """At least the one that an empty array has."""
    cdef size_t bytes = item_bytes(type_number)
    cdef int d
    for d in range(ndim):
        if shape[d] > 0 and bytes > (<size_t>1 << 62) // <size_t>shape[d]:
            raise MemoryError(f"no memory for an array of shape {tuple([shape[i] for i in range(ndim)])}")
        bytes *= <size_t>shape[d]
    return max(bytes, 1)


cdef ndarray new_array(int ndim, const npy_intp *shape, int type_number):
    return array_on(new_block(array_bytes(ndim, shape, type_number)), ndim, shape, type_number)


cdef ndarray new_zeros(int ndim, const npy_intp *shape, int type_number):
    cdef size_t bytes = array_bytes(ndim, shape, type_number)
    cdef Block block = pool_block(bytes)
    memset(block.memory, 0, bytes)
    return array_on(block, ndim, shape, type_number)


cdef ndarray array_on(Block block, int ndim, const npy_intp *shape, int type_number):
    cdef ndarray a = cnp.PyArray_New(
        ndarray, ndim, <npy_intp *>shape, type_number, NULL, block.memory, 0, cnp.NPY_ARRAY_CARRAY, None)
    cnp.set_array_base(a, block)
    return a


cdef ndarray new_number(int ndim, const npy_intp *shape, int type_number, double value):
    cdef ndarray a = array_on(pool_block(sizeof(double)), ndim, shape, type_number)
    cdef Recorder r = recorder()
    if type_number == cnp.NPY_FLOAT32:
        (<float *>cnp.PyArray_DATA(a))[0] = <float>value
    else:
        (<double *>cnp.PyArray_DATA(a))[0] = value
    if r is not None:   # a constant of the step: not in the arena, where others would use its memory again
        r.constant(a)
    return a


cdef bint owns_memory(ndarray a):
    base = cnp.get_array_base(a)
    return base is None or type(base) is Block


cdef bint only_one_has(PyObject *tensor, PyObject *array):
    return Py_REFCNT(tensor) == 1 and Py_REFCNT(array) == 1 and owns_memory(<ndarray>array)


cdef bint alone_on_memory(ndarray a):
    cdef PyObject *base = cnp.PyArray_BASE(a)
    while base != NULL and Py_REFCNT(base) == 1 and type(<object>base) is ndarray:
        base = cnp.PyArray_BASE(<ndarray>base)
    return base == NULL or type(<object>base) is Block


def stats():
    """Bytes of memory of results: in use, waiting to be used again, the most that was in use; and how often memory
    was taken from the system or given back, which a steady training step does not do."""
    return {"used": used_bytes, "waiting": waiting_bytes, "peak": peak_bytes, "system_calls": system_calls}


def empty_cache():
    """Gives the memory that waits to be used again back to the system, and forgets the peak."""
    global peak_bytes
    pyml_lock(&pool)
    give_back(waiting_bytes)
    peak_bytes = used_bytes
    pyml_unlock(&pool)
