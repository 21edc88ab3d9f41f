"""What guards the state of C where Python has no GIL, in free-threaded builds. Of other builds nothing of it is left."""

cdef extern from *:
    """
    typedef char pyml_mutex;
    #ifdef Py_GIL_DISABLED
    #include "system.h"
    enum { NO_GIL = 1 };
    /* Held for some instructions. No PyMutex: one that a thread waits for may be given to it while Python stops all threads
     * for a fork, and the child would wait for a thread that has not come along. */
    static inline void pyml_lock(pyml_mutex *mutex) {
        while (__atomic_exchange_n(mutex, 1, __ATOMIC_ACQUIRE)) system_yield();
    }
    #define pyml_unlock(mutex) __atomic_store_n(mutex, 0, __ATOMIC_RELEASE)
    #define PYML_ADDED(number, change) __atomic_add_fetch(&(number), change, __ATOMIC_SEQ_CST)
    #define PYML_NOW(number) __atomic_load_n(&(number), __ATOMIC_RELAXED)
    #else
    enum { NO_GIL = 0 };
    #define pyml_lock(mutex) ((void)(mutex))
    #define pyml_unlock(mutex) ((void)(mutex))
    #define PYML_ADDED(number, change) ((number) += (change))
    #define PYML_NOW(number) (number)
    #endif
    """
    bint NO_GIL
    ctypedef struct pyml_mutex:   # what is done under one calls no Python and frees no object, which may come to it again
        pass
    void pyml_lock(pyml_mutex *mutex) noexcept
    void pyml_unlock(pyml_mutex *mutex) noexcept
    # counters of the process, passed as variables
    unsigned long long added "PYML_ADDED"(unsigned long long number, int change) noexcept
    unsigned long long now "PYML_NOW"(unsigned long long number) noexcept
