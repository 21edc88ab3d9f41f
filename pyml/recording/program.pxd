from libc.stdint cimport uint64_t
from numpy cimport ndarray

from pyml._kernels cimport program_status, pyml_program
from pyml.memory cimport Arena, Block
from pyml.ops.optim cimport Update
from pyml.recording.diagnostics cimport Diagnosis
from pyml.recording.guards cimport Guards, Target
from pyml.recording.trace cimport Trace
from pyml.tensor cimport Tensor


cdef enum ResultKind:
    COPIED      # the program's memory: copied out
    ARGUMENT    # an argument itself
    OUTSIDE     # a tensor that was there before


cdef class Result:
    cdef ResultKind kind
    cdef int argument
    cdef bint is_lost      # it requires grad, and no backward of the step has gone through what computed it
    cdef bint is_hidden    # it is not returned itself, but a number that was read from it
    cdef Tensor tensor     # OUTSIDE
    cdef ndarray array     # COPIED: on the program's memory
    cdef tuple source      # and where there, in the words of the Trace


cdef Tensor without_graph(Tensor t)
cdef bint loses(Tensor t) except -1


cdef class Effect:
    cdef Target target
    cdef Py_ssize_t output   # of the formula, or -1:
    cdef object item         # an ItemOf


cdef class Slot:
    cdef Target target       # where the step replaces a tensor
    cdef tuple shape
    cdef ndarray before      # what was there at the recording
    cdef int input
    cdef ndarray array       # what takes its place: on the program's memory
    cdef tuple source        # and where there, in the words of the Trace
    cdef ndarray bound       # alive while calls point to it
    cdef Tensor placed       # what was put there last


cdef class HostCall:
    cdef object function
    cdef object tree         # of its arguments
    cdef list arrays         # of the Tensors among them: on the program's memory


cdef class Held:
    """A value that a call leaves in the program's memory: there it is as long as the replay stands at that call."""
    cdef size_t address
    cdef tuple shape, strides
    cdef object dtype
    cdef ndarray constant    # or what it is in every step

    cdef ndarray copy(self)
    cdef void move(self, size_t begin, size_t size, size_t to)


cdef class Stop:
    cdef list puts           # (Target, what): a Held for a tensor, an Outcome for a number, or the value itself
    cdef list gradients      # (Tensor, a Held or None): the .grad that it has there
    cdef list argument_gradients   # (argument, Held)
    cdef Py_ssize_t calls, hosts, schedules   # how many there have been
    cdef bint leaves_nothing       # all that calls before it have written can be undone
    cdef list handlers             # Handlers that would run if Python stopped there


cdef class Gradient:
    cdef Tensor tensor
    cdef bint assigned     # before it was read, so what it was does not matter
    cdef bint was_none     # else it must be None again,
    cdef int input         # or is an input; -1: is not
    cdef tuple shape       # of that input
    cdef ndarray bound     # what the input is bound to: alive while C may write it
    cdef bint kept         # afterwards it is the Tensor that it was
    cdef Gradient taken    # else it is that which another tensor has, and keeps,
    cdef Tensor after      # else it is this one,
    cdef tuple source      # where the new one lies, in the words of the Trace
    cdef list sharing      # other Gradients that it is the new one of
    cdef Block block       # on this memory, which other results of a step use too; None: the program does not write it


cdef class ParameterState:
    cdef Tensor parameter
    cdef dict values       # its state: name -> Tensor
    cdef list names, tensors, arrays
    cdef uint64_t version  # of `values` when they were found unchanged

    cdef bint holds(self) except -1


cdef class Updating:
    cdef Update update     # None for one of operations, which read a single option
    cdef str option        # its name
    cdef double value      # what it was when it was last read
    cdef dict group, state
    cdef list parameters   # of the group, as it was
    cdef object params     # the list itself
    cdef unsigned used     # see Update
    cdef void *options     # that the kept calls read
    cdef size_t size
    cdef list rates        # (name, output of the formula) of options that the step sets
    cdef list states       # a ParameterState for each parameter that has any
    cdef uint64_t version  # of `state` when it was found to have these

    cdef bint holds(self) except -1
    cdef bint states_hold(self) except -1
    cdef const void *read(self, dict group) except NULL


cdef class Program:
    cdef pyml_program *calls
    cdef Arena arena
    cdef list kept               # arrays that calls point into
    cdef object spec             # what the arguments were beside Tensors
    cdef list shapes, types      # of the arguments
    cdef list needs_grad
    cdef list tracked            # (argument, requires_grad) that the step sets
    cdef list firsts             # for each argument the first that is the same Tensor
    cdef tuple layout            # how the arguments lie in memory, see layout.pyx
    cdef bint is_running         # a signal's handler that runs in a callback may call the step
    cdef bint is_apart           # each by itself, and contiguous
    cdef bint writes             # any argument
    cdef list written            # bools: arguments that the step changes
    cdef list inputs             # their numbers as inputs; -1: not used
    cdef bint grad_mode, autocast
    cdef object default          # the default dtype
    cdef object tree             # of results: the object with Tensors in it
    cdef list results
    cdef bint has_outcomes       # numbers of Python are among them
    cdef list gradients
    cdef list changed            # Tensors from outside that the step changes
    cdef list first_of           # of each gradient that is an input: which of these is the first with the same memory
    cdef bint shares             # some are not themselves
    cdef list updatings
    cdef Guards guards
    cdef Py_ssize_t check_call   # after it the first result is there; -1: it is not one number
    cdef Diagnosis diagnosis
    cdef readonly unsigned long replays
    cdef public unsigned long made         # calls of this variant in all: replays, and those run by Python
    cdef readonly unsigned long next_check # the number of the call that Python runs again
    cdef Trace trace
    cdef object formula          # of the numbers that the step changes
    cdef bint computes           # each replay needs it
    cdef list numbers            # Targets: where these are
    cdef list computed           # what the formula gave for the coming replay
    cdef list scalars            # (array that a call reads, output of the formula)
    cdef list effects            # Effect
    cdef dict flags              # Target.at() -> what must be there before, of an effect that is always the same
    cdef list slots              # Slot
    cdef list host_calls         # HostCall
    cdef dict names              # address -> name of a parameter
    cdef list constants          # (array, its bytes)
    cdef list argument_gradients # (argument, array on the program's memory)
    cdef list faults             # (fault array, error, Stop)
    cdef Held check              # the first result, if it is one number, as soon as it is there
    cdef Stop check_stop         # what Python leaves where a replay stops at a number that is not finite
    cdef bint checks_at_end      # it does so when all is done
    cdef list schedules          # (scheduler, after the updates?)
    cdef bint rewinds            # a replay may stop where a scheduler's step that it has made is not to be

    cdef bint takes(self, list leaves, object spec) except -1
    cdef bint fits(self) except -1
    cdef bint fits_optimizers(self) except -1
    cdef int give_options(self, Updating u) except -1
    cdef bint may_fit_again(self) except -1
    cdef bint fits_gradients(self) except -1
    cdef bint can_change(self) except -1
    cdef bint fits_slots(self) except -1
    cdef bint fits_formula(self) except -1
    cdef int write_scalars(self) except -1
    cdef list snapshot(self, list leaves)
    cdef str verify(self, list snapshot)
    cdef str changed_otherwise(self, str what, int kind, size_t which)
    cdef Py_ssize_t own_call(self, Py_ssize_t call) noexcept
    cdef int put_effects(self) except -1
    cdef int call_host(self, Py_ssize_t count) except -1
    cdef object resolved(self, object value)
    cdef bint runs_in_c(self) except -1
    cdef bint is_due(self) noexcept
    cdef int confirmed(self) except -1
    cdef str difference(self, Program other)
    cdef tuple other_effects(self, Program other)
    cdef Result first_number(self)
    cdef object call(self, list leaves)
    cdef int prepare(self) except -1
    cdef bint must_move(self, Gradient g) except -1
    cdef int move_gradient(self, Gradient g, Py_ssize_t first, Py_ssize_t first_own) except -1
    cdef list stops(self)
    cdef int bind(self, list leaves) except -1
    cdef program_status replay(self) except *
    cdef object finish(self, program_status status, list leaves)
    cdef Stop stop_of(self, program_status status)
    cdef int undo(self, list states) except -1
    cdef int leave(self, Stop stop, list leaves) except -1
    cdef tuple stopped_at(self)
    cdef int move_held(self, Py_ssize_t first, size_t begin, size_t size, size_t to) except -1
    cdef int complete_stops(self) except -1
    cdef int leave_schedules(self, list states, Stop stop) except -1
    cdef object fault(self)
    cdef object interruption(self)
    cdef int stop_on_nan(self, bint on) except -1
    cdef int schedule(self, bint after) except -1
    cdef Tensor placed(self, ndarray array)
    cdef object returned(self, list leaves)
    cdef list plan(self)


cdef object STOPPED
cdef ndarray copy_of(ndarray a)
cdef int add_gradient(Tensor t, ndarray array) except -1
cdef list states_of(list schedules)
cdef int rewind(list states) except -1
cdef list firsts_of(list arrays)
cdef Held held(ndarray array, bint in_arena)
cdef Program find(list programs, list leaves, spec)

