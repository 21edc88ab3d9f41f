from pyml.recording.listener cimport Recording


cdef str overlapping(Recording recording, list leaves)
cdef str changes_view(Recording recording, list leaves)
cdef str altered(Recording recording)
cdef str leaked(Recording recording)
cdef str handled(Recording recording)
cdef str strayed(Recording recording)
cdef str changes_argument(Recording recording, changed)
