/* Jets: values and their derivatives by other variables, one channel each, carried through a function. */
#ifndef PYML_CONTRACTS_JET_H
#define PYML_CONTRACTS_JET_H

#include "types.h"

/* An activation of a jet: with the channels 0, the value, F = 1..firsts, first derivatives, and s = firsts + 1 + r,
 * second ones, by the variables of the first channels i and j = pairs[r],
 *   y[0] = f(x[0])
 *   y[F] = f'(x[0]) x[F]
 *   y[s] = f''(x[0]) x[i] x[j] + f'(x[0]) x[s]
 * Each channel is (n). What alpha and beta are stands in kernels/jet.c. */
typedef struct {
    void *y;              /* (1 + firsts + seconds, n) */
    const void *x;        /* the same */
    const int64_t *pairs; /* (seconds, 2), each from 1 to firsts */
    ptrdiff_t n, firsts, seconds;
    double alpha, beta;
} jet_forward_args;

/*   dx[s] = f' dy[s]
 *   dx[F] = f' dy[F] + f'' sum over s of dy[s] (x[j] where i = F, plus x[i] where j = F)
 *   dx[0] = f' dy[0] + f'' sum over F of x[F] dy[F] + sum over s of (f''' x[i] x[j] + f'' x[s]) dy[s] */
typedef struct {
    void *dx;             /* (1 + firsts + seconds, n), dx may be dy */
    void *jet;            /* the same, y[0] and what forward made of it, or NULL */
    const void *dy, *x;   /* the same */
    const void *y;        /* (n), the values f(x[0]) */
    const int64_t *pairs; /* (seconds, 2) */
    ptrdiff_t n, firsts, seconds;
    double alpha, beta;
} jet_backward_args;

/* A net of linear layers with an activation between any two: its value and its derivatives by inputs.
 *   z_0 = x w_0^T (+ b_0),   y_l = the activation of the jet z_l,   z_l+1 = y_l w_l+1^T (+ b_l+1),   u = the last z
 * b is added to the value alone. The first derivatives of x are one in column variables[F - 1] and zero beside it, the
 * second ones zero. Points are computed in blocks of JET_BLOCK_BYTES / sizeof(real), the last filled up.
 * kept: for each block, of each z but the last, (channels, o, points), then the value of its y, (o, points).
 * Scratch has room for channels * the widest layer <= JET_ROWS, and for JET_PARAMETERS in w and b of all layers. */
enum { JET_LAYERS = 16 };
enum { JET_WIDTHS = 17 };
enum { JET_BLOCK_BYTES = 256 };
enum { JET_ROWS = 2048 };
enum { JET_PARAMETERS = 65536 };
typedef struct {
    void *u; /* (channels, n, o of the last layer), channels = 1 + firsts + seconds */
    void *kept; /* NULL: no backward follows */
    const void *x; /* (n, widths[0]) */
    const void *w[JET_LAYERS]; /* (o, k), k = widths[l], o = widths[l + 1], up to `layers` */
    const void *b[JET_LAYERS]; /* (o), or NULL */
    const int64_t *variables, *pairs; /* (firsts), columns of x; (seconds, 2), each from 1 to firsts */
    ptrdiff_t n, layers, firsts, seconds, widths[JET_WIDTHS];
    double alpha, beta; /* of the activation, */
    int function; /* the number of its jet_..._forward */
} jet_net_forward_args;

typedef struct {
    void *dx; /* (n, widths[0]), or NULL */
    void *dw[JET_LAYERS]; /* (o, k), or NULL */
    void *db[JET_LAYERS]; /* (o), or NULL */
    const void *du, *kept, *x; /* as forward has them */
    const void *w[JET_LAYERS]; /* (o, k) */
    const int64_t *variables, *pairs; /* as forward has them */
    ptrdiff_t n, layers, firsts, seconds, widths[JET_WIDTHS];
    double alpha, beta;
    int function; /* the number of the activation's jet_..._backward */
} jet_net_backward_args;

#endif
