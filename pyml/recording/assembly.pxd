from pyml.recording.listener cimport Recording


cdef str complete(Recording recording, list leaves)
