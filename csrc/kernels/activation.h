/* What formulas of activations share. */
#ifndef PYML_ACTIVATION_H
#define PYML_ACTIVATION_H

#include "../simd/vmath.h"

/* At +-BOUND every activation and derivative has reached its limit, in float64 too: cutting an argument there
 * changes no result, and avoids inf * 0. */
#define BOUND 1024
INLINE vec bounded_below(vec x) { return vselect(x < -BOUND, vset1(-BOUND), x); }
INLINE vec bounded(vec x) { return bounded_below(vselect(x > BOUND, vset1(BOUND), x)); }

/* g = sigmoid(x), and *slope = g (1 - g) without cancellation */
INLINE vec sigmoid_with_slope(vec x, vec *slope)
{
    vec e = vexp(-vabs(x)), larger = 1 / (e + 1), smaller = e * larger;
    *slope = larger * smaller;
    return vselect(x < 0, smaller, larger);
}

/* log(1 + exp(b x)) / b; x where b x is above the threshold */
INLINE vec softplus(vec x, real b, real threshold)
{
    vec bx = x * b;
    return vselect(bx > threshold, x, vlog1pexp(bx) / b);
}

#endif
