/* Elementwise kernels, each from one expression of vectors. MAP_FORWARD(relu_forward, type, ns, expression)
 * defines relu_forward's range function and its kernel; the expression sees `a`, a copy of the arguments
 * (a local one: a store to y cannot change it, so that its constants stay in registers).
 * `ns` is the time of one element on one thread in nanoseconds, roughly. */
#ifndef PYML_MAP_H
#define PYML_MAP_H

#include "../simd/vmath.h"
#include "kernel.h"

/* a copy costs the time of memory; an expression with exp, log, tanh or erf several times that; a function of the C
 * library is called for each number */
#define NS_MEMORY 0.2
#define NS_MATH 1.0
#define NS_LIBRARY 5.0

/* By the C library, one number at a time: the same bits on every ISA. */
SHORT vec each_lane(vec x, real (*function)(real))
{
    ROLLED for (ptrdiff_t i = 0; i < L; i++) x[i] = function(x[i]);
    return x;
}

/* y[i] = expression of x */
#define MAP_FORWARD(name, args_type, ns, expression)                              \
    INLINE vec name##_lane(args_type a, vec x)                                    \
    {                                                                             \
        (void)a;                                                                  \
        return expression;                                                        \
    }                                                                             \
    static void name##_range(const void *context, ptrdiff_t begin, ptrdiff_t end) \
    {                                                                             \
        const args_type a = *(const args_type *)context;                          \
        real *y = a.y;                                                            \
        const real *x = a.x;                                                      \
        ptrdiff_t i = begin;                                                      \
        for (; i + L <= end; i += L) vstore(y + i, name##_lane(a, vload(x + i))); \
        vstore_n(y + i, name##_lane(a, vload_n(x + i, end - i)), end - i);        \
    }                                                                             \
    void KERNEL(name)(const void *args)                                           \
    {                                                                             \
        ptrdiff_t n = ((const args_type *)args)->n;                               \
        parallel_for(n, BLOCK, (double)n * (ns), name##_range, args);             \
    }

/* dx[i] = expression of dy and s */
#define MAP_BACKWARD(name, args_type, ns, expression)                                             \
    INLINE vec name##_lane(args_type a, vec dy, vec s)                                            \
    {                                                                                             \
        (void)a;                                                                                  \
        return expression;                                                                        \
    }                                                                                             \
    static void name##_range(const void *context, ptrdiff_t begin, ptrdiff_t end)                 \
    {                                                                                             \
        const args_type a = *(const args_type *)context;                                          \
        real *dx = a.dx;                                                                          \
        const real *dy = a.dy, *s = a.s;                                                          \
        ptrdiff_t i = begin, rest;                                                                \
        for (; i + L <= end; i += L) vstore(dx + i, name##_lane(a, vload(dy + i), vload(s + i))); \
        rest = end - i;                                                                           \
        vstore_n(dx + i, name##_lane(a, vload_n(dy + i, rest), vload_n(s + i, rest)), rest);      \
    }                                                                                             \
    void KERNEL(name)(const void *args)                                                           \
    {                                                                                             \
        ptrdiff_t n = ((const args_type *)args)->n;                                               \
        parallel_for(n, BLOCK, (double)n * (ns), name##_range, args);                             \
    }

#endif
