"""The number of a dict's state."""
from libc.stdint cimport uint64_t

cdef extern from *:
    """
    /* A number that another state of a dict does not have (PEP 509), or 0 where Python keeps none. */
    #if PY_VERSION_HEX < 0x030C0000
    #define PYML_DICT_VERSION(dict) (((PyDictObject *)(dict))->ma_version_tag)
    #else
    #define PYML_DICT_VERSION(dict) ((uint64_t)0)
    #endif
    """
    uint64_t PYML_DICT_VERSION(dict)
