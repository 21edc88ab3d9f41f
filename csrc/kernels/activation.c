/* Activations, elementwise; each derivative stands below the function it belongs to. */
#include "../contracts/activation.h"
#include "activation.h"
#include "finish.h"
#include "map.h"

/* ---- relu ---------------------------------------------------------------------------------------------- */

MAP_FORWARD(relu_forward, activation_forward_args, NS_MEMORY, relu(x))
MAP_BACKWARD(relu_backward, activation_backward_args, NS_MEMORY, relu_slope(dy, s))

/* ---- leaky_relu:  y = x where x > 0, else alpha x ------------------------------------------------------ */

MAP_FORWARD(leaky_relu_forward, activation_forward_args, NS_MEMORY, vselect(x > 0, x, x * (real)a.alpha))

/* dx = dy where x > 0, else alpha dy */
MAP_BACKWARD(leaky_relu_backward, activation_backward_args, NS_MEMORY, vselect(s > 0, dy, dy * (real)a.alpha))

/* ---- sigmoid:  y = 1 / (1 + exp(-x)) ------------------------------------------------------------------- */

MAP_FORWARD(sigmoid_forward, activation_forward_args, NS_MATH, vsigmoid(x))

/* dx = dy * y (1 - y) */
MAP_BACKWARD(sigmoid_backward, activation_backward_args, NS_MEMORY, dy * (s * (1 - s)))

/* ---- tanh:  y = tanh x --------------------------------------------------------------------------------- */

MAP_FORWARD(tanh_forward, activation_forward_args, NS_MATH, vtanh(x))

/* dx = dy * (1 - y^2) */
MAP_BACKWARD(tanh_backward, activation_backward_args, NS_MEMORY, dy * ((1 - s) * (1 + s)))

/* ---- gelu:  y = x P(x), P the normal distribution function. Hendrycks & Gimpel 2016 (arXiv:1606.08415) - */

MAP_FORWARD(gelu_forward, activation_forward_args, NS_MATH, bounded_below(x) * vnormal_cdf(x))

/* dx = dy * (P(x) + x exp(-x^2/2) / sqrt(2 pi)) */
MAP_BACKWARD(gelu_backward, activation_backward_args, NS_MATH, dy * vgelu_slope(s))

/* ---- gelu_tanh:  y = x/2 (1 + tanh u) = x sigmoid(2u),  2u = A x + B x^3, the same paper's approximation */

#define GELU_A ((real)1.59576912160573071176) /* 2 sqrt(2 / pi) */
#define GELU_B ((real)0.07135481627260024878) /* 0.044715 A */

INLINE vec gelu_tanh(vec x) { return bounded_below(x) * vsigmoid(x * vfma(x * GELU_B, x, vset1(GELU_A))); }
MAP_FORWARD(gelu_tanh_forward, activation_forward_args, NS_MATH, gelu_tanh(x))

/* dx = dy * (g + x g (1 - g) (A + 3 B x^2)),  g = sigmoid(2u) */
INLINE vec gelu_tanh_derivative(vec x)
{
    x = bounded(x);
    vec square = x * x, slope;
    vec g = sigmoid_with_slope(x * vfma(square, vset1(GELU_B), vset1(GELU_A)), &slope);
    return vfma(x * vfma(square, vset1(3 * GELU_B), vset1(GELU_A)), slope, g);
}
MAP_BACKWARD(gelu_tanh_backward, activation_backward_args, NS_MATH, dy * gelu_tanh_derivative(s))

/* ---- silu:  y = x sigmoid(x) --------------------------------------------------------------------------- */

MAP_FORWARD(silu_forward, activation_forward_args, NS_MATH, bounded_below(x) * vsigmoid(x))

/* dx = dy * (g + x g (1 - g)),  g = sigmoid(x) */
INLINE vec silu_derivative(vec x)
{
    vec slope, g = sigmoid_with_slope(x, &slope);
    return vfma(bounded(x), slope, g);
}
MAP_BACKWARD(silu_backward, activation_backward_args, NS_MATH, dy * silu_derivative(s))

/* ---- elu:  y = x where x > 0, else alpha (exp(x) - 1). Clevert et al. 2015 (arXiv:1511.07289) ---------- */

MAP_FORWARD(elu_forward, activation_forward_args, NS_MATH, vselect(x > 0, x, vexpm1(x) * (real)a.alpha))

/* dx = dy where x > 0, else alpha exp(x) dy */
MAP_BACKWARD(elu_backward, activation_backward_args, NS_MATH,
             vselect(s > 0, dy, dy * (real)a.alpha * vexp(s)))

/* ---- softplus:  y = log(1 + exp(b x)) / b, b in alpha; x where b x is above the threshold, in beta ----- */

MAP_FORWARD(softplus_forward, activation_forward_args, NS_MATH, softplus(x, (real)a.alpha, (real)a.beta))

/* dx = dy * sigmoid(b x), dy above the threshold */
INLINE vec softplus_derivative(vec x, real b, real threshold)
{
    vec bx = x * b;
    return vselect(bx > threshold, vset1(1), vsigmoid(bx));
}
MAP_BACKWARD(softplus_backward, activation_backward_args, NS_MATH,
             dy * softplus_derivative(s, (real)a.alpha, (real)a.beta))

/* ---- mish:  y = x tanh(log(1 + exp x)). Misra 2019 (arXiv:1908.08681) ------------------------------------ */

/* t = tanh(log(1 + e)) = n / (n + d) with e = exp x, n = e (e + 2), d = 2; where x > 0 both over e^2.
 * *slope = (1 - t^2) sigmoid(x), the derivative of t, without cancellation */
INLINE vec mish_gate(vec x, vec *slope)
{
    const vec e = vexp(-vabs(x)), one = vset1(1);
    const vec n = vselect(x > 0, 2 * e + 1, e * (e + 2)), d = vselect(x > 0, 2 * e * e, 2 * one), sum = n + d;
    const vec t = n / sum;
    *slope = d / sum * (1 + t) * (vselect(x > 0, one, e) / (1 + e));
    return t;
}
INLINE vec mish(vec x)
{
    vec slope;
    return bounded_below(x) * mish_gate(x, &slope);
}
MAP_FORWARD(mish_forward, activation_forward_args, NS_MATH, mish(x))

/* dx = dy * (t + x (1 - t^2) sigmoid(x)) */
INLINE vec mish_derivative(vec x)
{
    vec slope, t = mish_gate(x, &slope);
    return vfma(bounded(x), slope, t);
}
MAP_BACKWARD(mish_backward, activation_backward_args, NS_MATH, dy * mish_derivative(s))

/* ---- hardswish:  y = x r / 6,  r = min(max(x + 3, 0), 6). Howard et al. 2019 (arXiv:1905.02244) ------------ */

/* r / 6 before the product, which cannot overflow */
INLINE vec hardswish(vec x) { return bounded_below(x) * (vmin(vmax(x + 3, vset1(0)), vset1(6)) / 6); }
MAP_FORWARD(hardswish_forward, activation_forward_args, NS_MEMORY, hardswish(x))

/* dx = 0 where x <= -3, dy where x >= 3, else dy (2 x + 3) / 6, without cancellation */
INLINE vec hardswish_derivative(vec x)
{
    return vselect(x <= -3, vset1(0), vselect(x >= 3, vset1(1), (2 * x + 3) / 6));
}
MAP_BACKWARD(hardswish_backward, activation_backward_args, NS_MEMORY, dy * hardswish_derivative(s))

/* ---- selu:  y = S x where x > 0, else S A (exp(x) - 1). Klambauer et al. 2017 (arXiv:1706.02515) ----------- */

#define SELU_SCALE ((real)1.0507009873554804934193349852946)    /* S */
#define SELU_NEGATIVE \
    ((real)1.7580993408473768599402175208123) /* S A, A = 1.6732632423543772848170429916717 */

MAP_FORWARD(selu_forward, activation_forward_args, NS_MATH,
            vselect(x > 0, x * SELU_SCALE, vexpm1(x) * SELU_NEGATIVE))

/* dx = S dy where x > 0, else S A exp(x) dy */
MAP_BACKWARD(selu_backward, activation_backward_args, NS_MATH,
             dy * vselect(s > 0, vset1(SELU_SCALE), vexp(s) * SELU_NEGATIVE))

/* ---- celu:  y = x where x > 0, else a (exp(x / a) - 1). Barron 2017 (arXiv:1704.07483) --------------------- */

MAP_FORWARD(celu_forward, activation_forward_args, NS_MATH,
            vselect(x > 0, x, vexpm1(x / (real)a.alpha) * (real)a.alpha))

/* dx = dy where x > 0, else exp(x / a) dy */
MAP_BACKWARD(celu_backward, activation_backward_args, NS_MATH,
             vselect(s > 0, dy, dy * vexp(s / (real)a.alpha)))

/* ---- logsigmoid:  y = -log(1 + exp(-x)) --------------------------------------------------------------------- */

MAP_FORWARD(logsigmoid_forward, activation_forward_args, NS_MATH,
            vselect(x > 0, vset1(0), x) - vlog1p(vexp(-vabs(x))))

/* dx = dy * sigmoid(-x) */
MAP_BACKWARD(logsigmoid_backward, activation_backward_args, NS_MATH, dy * vsigmoid(-s))

/* ---- softsign:  y = x / (1 + |x|), +-1 at +-inf ------------------------------------------------------------- */

MAP_FORWARD(softsign_forward, activation_forward_args, NS_MEMORY,
            vselect(vabs(x) == INF, vsign(x), x / (1 + vabs(x))))

/* dx = dy / (1 + |x|)^2 */
INLINE vec softsign_derivative(vec x)
{
    const vec r = 1 / (1 + vabs(x));
    return r * r;
}
MAP_BACKWARD(softsign_backward, activation_backward_args, NS_MEMORY, dy * softsign_derivative(s))

/* ---- tanhshrink:  y = x - tanh x ---------------------------------------------------------------------------- */

MAP_FORWARD(tanhshrink_forward, activation_forward_args, NS_MATH, x - vtanh(x))

/* dx = dy * tanh^2 x */
INLINE vec tanhshrink_derivative(vec x)
{
    const vec t = vtanh(x);
    return t * t;
}
MAP_BACKWARD(tanhshrink_backward, activation_backward_args, NS_MATH, dy * tanhshrink_derivative(s))

/* ---- hardtanh:  y = min(max(x, low), high), low in alpha and high in beta ---------------------------------- */

MAP_FORWARD(hardtanh_forward, activation_forward_args, NS_MEMORY,
            vmin(vmax(x, vset1((real)a.alpha)), vset1((real)a.beta)))

/* dx = dy where low < x < high, else 0 */
MAP_BACKWARD(hardtanh_backward, activation_backward_args, NS_MEMORY,
             vselect((s <= (real)a.alpha) | (s >= (real)a.beta), vset1(0), dy))

/* ---- hardsigmoid:  y = min(max(x + 3, 0), 6) / 6. Courbariaux et al. 2015 (arXiv:1511.00363) --------------- */

MAP_FORWARD(hardsigmoid_forward, activation_forward_args, NS_MEMORY,
            vmin(vmax(x + 3, vset1(0)), vset1(6)) / 6)

/* dx = dy / 6 where -3 < x < 3, else 0 */
MAP_BACKWARD(hardsigmoid_backward, activation_backward_args, NS_MEMORY,
             vselect((s > -3) & (s < 3), dy / 6, vset1(0)))

/* ---- threshold:  y = x where x > alpha, else beta; NaN stays NaN -------------------------------------------- */

MAP_FORWARD(threshold_forward, activation_forward_args, NS_MEMORY,
            vselect(x <= (real)a.alpha, vset1((real)a.beta), x))

/* dx = dy where x > alpha, else 0 */
MAP_BACKWARD(threshold_backward, activation_backward_args, NS_MEMORY,
             vselect(s <= (real)a.alpha, vset1(0), dy))

/* ---- hardshrink:  y = x where |x| > alpha, else 0 ------------------------------------------------------------ */

INLINE ivec within(vec x, real limit) { return (x >= -limit) & (x <= limit); }
MAP_FORWARD(hardshrink_forward, activation_forward_args, NS_MEMORY,
            vselect(within(x, (real)a.alpha), vset1(0), x))

/* dx = dy where |x| > alpha, else 0 */
MAP_BACKWARD(hardshrink_backward, activation_backward_args, NS_MEMORY,
             vselect(within(s, (real)a.alpha), vset1(0), dy))

/* ---- softshrink:  y = x - alpha where x > alpha, x + alpha where x < -alpha, else 0 ------------------------- */

INLINE vec softshrink(vec x, real limit)
{
    return vselect(within(x, limit), vset1(0), vselect(x > 0, x - limit, x + limit));
}
MAP_FORWARD(softshrink_forward, activation_forward_args, NS_MEMORY, softshrink(x, (real)a.alpha))

/* dx = dy where |x| > alpha, else 0 */
MAP_BACKWARD(softshrink_backward, activation_backward_args, NS_MEMORY,
             vselect(within(s, (real)a.alpha), vset1(0), dy))
