/* Special functions, one number at a time in double: the same bits on every ISA, and in float32 right to the last place
 * or next to it. Largest errors in float64 of some thousand random numbers beside 40 digits, in units in the last place
 * of the result or of 1 if that is more:
 *
 *     lgamma 2 (of the C library)   digamma 6   polygamma of order 1 to 4: 3, and 6 below 0   erfinv 1   scaled_bessel 3
 *
 * Euler-Maclaurin: Abramowitz & Stegun 1964, 6.3.18 (digamma) and 23.2.
 */
#ifndef PYML_SPECIAL_H
#define PYML_SPECIAL_H

#include "kernel.h"

#include <math.h>

#define PI 3.14159265358979323846
#define ROOT_PI 1.77245385090551602730

#if !defined(_WIN32)
double lgamma_r(double, int *); /* lgamma without the global sign; C11 alone does not declare it */
#endif

static inline double log_abs_gamma(double x)
{
    if (x == 0 || x == -INFINITY) return INFINITY;
#if defined(_WIN32)
    return lgamma(x); /* which has no global sign there */
#else
    int sign;
    return lgamma_r(x, &sign);
#endif
}

/* x - round(x), exact for what has a fraction */
static inline double offset_from_integer(double x) { return x - rint(x); }

/* The derivative of log |gamma(x)|: by psi(x) = psi(x + 1) - 1/x up to x >= 10, then the series of 6.3.18; below 0 by
 * psi(1 - x) - pi / tan(pi x). -inf at 0, inf at -0, NaN at the other poles, as in PyTorch. */
static inline double digamma(double x)
{
    static const double series[] = {1.0 / 12,  -1.0 / 120,     1.0 / 252, -1.0 / 240,
                                    5.0 / 660, -691.0 / 32760, 1.0 / 12};
    double low = 0, y = 0;
    if (x == 0) return copysign(INFINITY, -x);
    if (x < 0) {
        double r = offset_from_integer(x);
        if (r == 0 || x == -INFINITY) return NAN;
        low = -PI / tan(PI * r);
        x = 1 - x;
    }
    if (x == INFINITY) return x;
    double start = x, above = 0;
    while (start + above < 10) above++;
    x = start + above;
    double z = 1 / (x * x), sum = 0;
    for (int i = 6; i >= 0; i--) sum = (sum + series[i]) * z;
    y = log(x) - 0.5 / x - sum;
    for (double k = above - 1; k >= 0; k--) y -= 1 / (start + k); /* the largest last */
    return y + low;
}

/* From which k on Hurwitz's sum is a series of a + k. */
static inline double zeta_start(double s, double a)
{
    double k = 0;
    while (a + k < s + 10) k++;
    return k;
}

/* sum over k >= 0 of (w + k)^-s for w >= s + 10, by Euler-Maclaurin */
static inline double zeta_tail(double s, double w)
{
    static const double bernoulli[] = {1.0 / 6,  -1.0 / 30,     1.0 / 42, -1.0 / 30,
                                       5.0 / 66, -691.0 / 2730, 7.0 / 6,  -3617.0 / 510};
    double power = pow(w, -s), tail = power * w / (s - 1) + power / 2;
    double term = power * s / (2 * w); /* s (s + 1) ... (s + 2 j - 2) / (2 j)! w^-(s + 2 j - 1) */
    for (int j = 1; j <= 8; j++) {
        tail += bernoulli[j - 1] * term;
        term *= (s + 2 * j - 1) * (s + 2 * j) / ((2 * j + 1) * (2 * j + 2) * w * w);
    }
    return tail;
}

/* sum over k >= 0 of (a + k)^-s for a > 0, s > 1 */
static inline double hurwitz_zeta(double s, double a)
{
    if (a == INFINITY) return 0;
    double start = zeta_start(s, a), sum = zeta_tail(s, a + start);
    for (double k = start - 1; k >= 0; k--) sum += pow(a + k, -s);
    return sum;
}

/* hurwitz_zeta(s, a) - hurwitz_zeta(s, a + gap) for a > 0, gap >= 0, without the digits that both have: a term is
 * (a + k)^-s (1 - ((a + k) / (a + gap + k))^s) */
static inline double zeta_difference(double s, double a, double gap)
{
    double start = zeta_start(s, a), sum = zeta_tail(s, a + start) - zeta_tail(s, a + gap + start);
    for (double k = start - 1; k >= 0; k--) sum -= pow(a + k, -s) * expm1(s * log1p(-gap / (a + gap + k)));
    return sum;
}

/* The derivative of order n >= 1 of digamma, (-1)^(n+1) n! zeta(n + 1, x). Below 0 the terms on both sides of 0 are
 * sums from f and g on, f + g = 1; those of even orders have other signs. Poles are infinite. */
static inline double polygamma(int n, double x)
{
    double s = n + 1, factor = tgamma(s) * (n % 2 ? 1 : -1);
    if (isnan(x)) return x;
    if (x == -INFINITY) return NAN;
    if (x > 0) return factor * hurwitz_zeta(s, x);
    double count = ceil(-x), f = x + count, g = -x - (count - 1); /* f in [0, 1), but for rounding */
    if (f == 0) return factor * INFINITY;
    double rest = hurwitz_zeta(s, count + g); /* of the terms from g on, those that x has not */
    if (n % 2) return factor * (hurwitz_zeta(s, f) + hurwitz_zeta(s, g) - rest);
    double gap = 2 * g - 1; /* g - f, exact near 0, where g is while f is rounded */
    return factor * ((gap >= 0 ? zeta_difference(s, f, gap) : -zeta_difference(s, g, -gap)) + rest);
}

/* exp(-|x|) I_n(x), I_n the modified Bessel function of the first kind, n 0 or 1: by the power series, whose terms have
 * one sign (DLMF 10.25.2), and from |x| = 30 on by the asymptotic series (DLMF 10.40.1). */
static inline double scaled_bessel(int n, double x)
{
    double t = fabs(x), sum = 1, term = 1;
    if (isnan(x)) return x;
    if (t < 30) {
        for (double k = 1; term > 1e-17 * sum; k++) {
            term *= t * t / (4 * k * (k + n));
            sum += term;
        }
        return exp(-t) * sum * (n ? x / 2 : 1);
    }
    for (double k = 1; fabs(term) > 1e-17; k++) {
        term *= ((2 * k - 1) * (2 * k - 1) - 4 * n) / (8 * k * t);
        sum += term;
    }
    sum /= sqrt(2 * PI * t);
    return n ? copysign(sum, x) : sum;
}

/* The inverse of erf: Giles 2010, "Approximating the erfinv function", in single precision, then three steps of Halley's
 * method, from |x| = 1/2 on of erfc, whose argument 1 - |x| is exact. */
static inline double inverse_erf(double x)
{
    static const double middle[] = {2.81022636e-08,  3.43273939e-07, -3.5233877e-06,
                                    -4.39150654e-06, 0.00021858087,  -0.00125372503,
                                    -0.00417768164,  0.246640727,    1.50140941};
    static const double outer[] = {-0.000200214257, 0.000100950558, 0.00134934322,
                                   -0.00367342844,  0.00573950773,  -0.0076224613,
                                   0.00943887047,   1.00167406,     2.83297682};
    double t = fabs(x);
    if (!(t < 1)) return t == 1 ? copysign(INFINITY, x) : NAN;
    double w = -log((1 - t) * (1 + t)), y = 0;
    if (w < 16) {
        const double *c = w < 5 ? middle : outer;
        w = w < 5 ? w - 2.5 : sqrt(w) - 3;
        for (int i = 0; i < 9; i++) y = y * w + c[i];
        y *= t;
    } else { /* erfc(y) is near exp(-y^2) / (y sqrt(pi)) */
        w = -log((1 - t) * ROOT_PI);
        y = sqrt(w);
        for (int i = 0; i < 3; i++) y = sqrt(w - log(y));
    }
    for (int i = 0; i < 3; i++) {
        double error = t < 0.5 ? erf(y) - t : (1 - t) - erfc(y);
        double step = error * (ROOT_PI / 2) * exp(y * y);
        y -= step / (1 + y * step);
    }
    return copysign(y, x);
}

/* d log x / d a of a gamma variable x of shape a > 0 at a fixed value of its distribution function (implicit
 * reparametrisation: Figurnov, Mohamed & Mnih 2018, arXiv:1805.08498). x is given by its logarithm, as it may be
 * smaller than any number. With P = x^a e^-x / gamma(a) S and 1 - P = x^a e^-x / gamma(a) C it is
 *     -(S' + S (log x - psi(a)))        S a series        (DLMF 8.7.1), where x <= max(a, 1.5), or
 *       C' + C (log x - psi(a))         C a continued fraction (DLMF 8.9.2)
 * both differentiated by a term by term: no terms of other signs cancel. From a = 1e5 on it is the derivative of
 * Cornish & Fisher's expansion x = a + z r + (z^2 - 1)/3 + (z^3 - 7 z)/(36 r) - (3 z^4 + 7 z^2 - 16)/(810 r^2), r^2 = a.
 */
static inline double log_gamma_slope(double a, double log_x)
{
    double x = exp(log_x);
    if (!(a > 0) || isnan(log_x)) return NAN;
    if (a > 1e5) {
        double r = sqrt(a), z = (x - a) / r;
        for (int i = 0; i < 8; i++) {
            double z2 = z * z;
            double rest = (z2 - 1) / 3 + z * (z2 - 7) / (36 * r) - (3 * z2 * z2 + 7 * z2 - 16) / (810 * a);
            z = (x - a - rest) / r;
        }
        double z2 = z * z;
        return (1 + z / (2 * r) - z * (z2 - 7) / (72 * a * r) + (3 * z2 * z2 + 7 * z2 - 16) / (810 * a * a)) /
               x;
    }
    double centre = log_x - digamma(a);
    if (x <= a || x <= 1.5) {
        double term = 1 / a, log_slope = -1 / a, sum = 0, part; /* of x^k / (a (a + 1) ... (a + k)) */
        for (double k = 1; k < 20000; k++) {
            part = term * (centre + log_slope);
            sum += part;
            if (fabs(part) <= 1e-17 * fabs(sum) && x < a + k) break;
            term *= x / (a + k);
            log_slope -= 1 / (a + k);
        }
        return -sum;
    }
    /* 1 / (b0 + a1 / (b1 + a2 / (b2 + ...))), a_i = -i (i - a), b_i = x + 2 i + 1 - a, by Lentz's method. c and d are
     * the ratios of neighbouring numerators and denominators, `value` is their product, and dc, dd, slope derivatives:
     * slope that of log value. */
    double b = x + 1 - a, value = 1 / b, slope = 1 / b, c = INFINITY, dc = 0, d = 1 / b, dd = 1 / (b * b);
    for (double i = 1; i < 20000; i++) {
        double numerator = -i * (i - a);
        b += 2;
        double denominator = numerator * d + b;
        double dnumerator = i, ddenominator = dnumerator * d + numerator * dd - 1;
        d = 1 / denominator;
        dd = -ddenominator * d * d;
        double over_c = 1 / c, dover_c = -dc * over_c * over_c; /* c_0 is infinite */
        c = b + numerator * over_c;
        dc = -1 + dnumerator * over_c + numerator * dover_c;
        double ratio = c * d, dratio = dc * d + c * dd;
        value *= ratio;
        slope += dratio / ratio;
        if (fabs(ratio - 1) < 1e-16 && fabs(dratio) < 1e-16 * fabs(slope)) break;
    }
    return value * (slope + centre);
}

#endif
