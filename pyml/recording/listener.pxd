from contract_optim cimport optim_args
from numpy cimport ndarray

from pyml.recorder cimport Recorder
from pyml.recording.allocations cimport NewMemory
from pyml.recording.guards cimport Guards, Target
from pyml.recording.program cimport Program, Stop, Updating
from pyml.tensor cimport Tensor


cdef class Recording(Recorder):
    cdef Program program
    cdef NewMemory memory        # that is new, and who wrote it
    cdef NewMemory inputs        # arguments, as copies; then gradients that were there
    cdef list input_arrays       # the arrays of `inputs`
    cdef list input_arguments    # which argument each is; -1: a gradient
    cdef list staged             # Tensors on the copies of arguments
    cdef set kept                # ids of the arrays that the Program keeps
    cdef dict gradients          # Tensor -> Gradient
    cdef dict changed_tensors    # id -> Tensor
    cdef dict modules            # id -> Module
    cdef list steppers           # Optimizers
    cdef object function
    cdef list objects            # that it was called with, beside Tensors
    cdef dict numbers            # Target.at() -> Target: places of numbers that the step is known to change
    cdef dict hosts              # what it runs on the host
    cdef object formula          # the Program's
    cdef bint has_mathematics
    cdef object profiler         # that was there before
    cdef list traced             # (Target, its number, the Number in its place)
    cdef list unexplained        # Targets that the step changes, and a replay would not
    cdef list fresh_numbers      # Targets that are to be traced the next time
    cdef str shared              # a slot whose tensor is also elsewhere
    cdef dict places             # address of a result's memory -> where it was made
    cdef dict made_before             # the same address -> how many calls there were then
    cdef dict ran                # id -> (code that Python executed, the code that called it)
    cdef bint pickles            # objects with all of their attributes
    cdef bint asks_id            # id() is about to be called by the user's code
    cdef Updating updating_now   # what the next kernels of an optimizer are for
    cdef bint stops_on_nan
    cdef tuple randomness        # of Python and NumPy, before
    cdef bint falls_back         # a refusal is kept, not raised
    cdef str refusal
    cdef bint is_special         # this call is not as others will be: it is not kept, and that is no error
    cdef object caller           # the frame that has called the step, while it listens
    cdef bint listens
    cdef bint problem            # found by a visitor of effects
    cdef NewMemory last_writes   # of the last call, or of all that update segments
    cdef int last_kernel
    cdef list alterations        # (owner, name, before)
    cdef list backward_stops     # Stop: where each backward begins
    cdef list scopes             # globals that are disguised
    cdef list lendings           # weak references to what x.data gave

    cdef int start(self, list leaves, function, list objects) except -1
    cdef int say_problem(self, Guards guards) except -1
    cdef int check_arguments(self, list leaves) except -1
    cdef int stop(self) except -1
    cdef int close_mathematics(self) except -1
    cdef int restore_numbers(self) except -1
    cdef int add_input(self, ndarray array, Py_ssize_t argument) except -1
    cdef int input_of(self, const void *address) noexcept
    cdef int refuse_at(self, str what, tuple place) except -1
    cdef int refuse_with(self, str message) except -1
    cdef int note_update(self, optim_args *args) except -1
    cdef Updating update_of(self, dict group)
    cdef bint in_arena(self, ndarray array)
    cdef bint is_new(self, ndarray array)
    cdef int go_on_eagerly(self) except -1
    cdef Stop stop_here(self)
    cdef int leave_at(self, Stop stop, Target target) except -1
    cdef int forget_graph(self) except -1
    cdef int forget_gone(self) except -1
    cdef int give_back(self, list leaves) except -1
    cdef bint has_changed(self, Py_ssize_t i) except -1
    cdef object without_copies(self, value, list leaves)
    cdef int call_host(self) except -1
    cdef object returned(self, list leaves)
    cdef object settle(self, object value)
    cdef int settle_changes(self, list results) except -1
    cdef int settle_item(self, Target target, item) except -1
    cdef list changes(self)
    cdef list changed_places(self)
    cdef bint is_gone(self, owner) except -1
    cdef bint settle_slot(self, Target target, Tensor before, Tensor now) except -1
    cdef bint is_elsewhere(self, Tensor t) except -1
    cdef ndarray settled(self, Tensor t)
    cdef tuple source_of(self, ndarray array)
    cdef bint is_gradient(self, Tensor t) except -1
    cdef list changed_arguments(self, args, kwargs, given, list leaves)
    cdef int broke_off(self, list leaves) except -1
    cdef bint plain_numbers(self) except -1
    cdef dict holders(self)
    cdef bint is_seen(self, Tensor t) except -1
    cdef int identified(self, identity) except -1
    cdef bint is_seen(self, Tensor t) except -1


cdef bint has_group(scheduler, dict group) except -1
