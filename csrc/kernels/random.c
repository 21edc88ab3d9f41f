/* Random numbers from the words of the generator (random.h), the same on every ISA.
 * Number i takes WORDS_EACH words: a float its own word i, a double words 2i and 2i + 1. */
#include "../contracts/random.h"
#include "../random.h"
#include "kernel.h"
#include "special.h"

#include <math.h>

enum { WORDS_EACH = REAL_BITS / 32, CHUNK = RANDOM_CHUNK / WORDS_EACH };

/* 64 bits of two words, the first one low */
INLINE uint64_t two_words(const uint32_t *words) { return words[0] | (uint64_t)words[1] << 32; }

/* ---- uniform -------------------------------------------------------------------------------------- */

/* [0,1) in steps of 2^-24 (float) or 2^-53 (double): the high bits, each value exact */
INLINE real unit_uniform(const uint32_t *words)
{
#if REAL_BITS == 32
    return (real)(int32_t)(words[0] >> 8) * 0x1p-24f;
#else
    return (real)(int64_t)(two_words(words) >> 11) * 0x1p-53;
#endif
}

/* y = low + u (high - low).  Where that rounds to high, the number below it. */
static void uniform_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const random_args a = *(const random_args *)context;
    const real low = (real)a.low, high = (real)a.high;
    const real width = high - low;
    const real below_high =
        REAL_BITS == 32 ? (real)nextafterf((float)high, (float)low) : (real)nextafter(high, low);
    uint32_t words[RANDOM_CHUNK];
    for (ptrdiff_t count; begin < end; begin += count) {
        count = min_size(CHUNK, end - begin);
        random_words(words, a.state, begin * WORDS_EACH, count * WORDS_EACH);
        real *y = (real *)a.y + begin;
        for (ptrdiff_t i = 0; i < count; i++) {
            real u = low + unit_uniform(words + i * WORDS_EACH) * width;
            y[i] = u < high ? u : below_high;
        }
    }
}

void KERNEL(random_uniform)(const void *args)
{
    random_args a = *(const random_args *)args;
    uint64_t taken[2];
    random_take(taken, a.state, a.n * WORDS_EACH);
    a.state = taken;
    parallel_for(a.n, BLOCK, (double)a.n * 0.7, uniform_range, &a);
}

/* ---- normal --------------------------------------------------------------------------------------- */

/* (0,1] in steps of 2^-53; its logarithm is finite */
INLINE double open_uniform_of_two(const uint32_t *words)
{
    return (double)((two_words(words) >> 11) + 1) * 0x1p-53;
}

/* (0,1]: all bits of the number's words, as many as a double has */
INLINE double open_uniform(const uint32_t *words)
{
    return REAL_BITS == 32 ? ((double)words[0] + 1) * 0x1p-32 : open_uniform_of_two(words);
}

/* Box & Muller 1958: from two uniforms u, v two normals, sqrt(-2 log u) * (cos, sin)(2 pi v). In double and
 * with the C library's functions in both dtypes, one number at a time: no bit depends on the ISA. */
static void normal_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const random_args a = *(const random_args *)context;
    uint32_t words[RANDOM_CHUNK];
    for (ptrdiff_t count; begin < end; begin += count) {
        count = min_size(CHUNK, end - begin);
        random_words(words, a.state, begin * WORDS_EACH, (count + count % 2) * WORDS_EACH);
        real *y = (real *)a.y + begin;
        for (ptrdiff_t i = 0; i < count; i += 2) {
            double radius = sqrt(-2 * log(open_uniform(words + i * WORDS_EACH)));
            double angle = 6.283185307179586 * open_uniform(words + (i + 1) * WORDS_EACH);
            y[i] = (real)(a.low + a.high * (radius * cos(angle)));
            if (i + 1 < count) y[i + 1] = (real)(a.low + a.high * (radius * sin(angle)));
        }
    }
}

void KERNEL(random_normal)(const void *args)
{
    random_args a = *(const random_args *)args;
    uint64_t taken[2];
    random_take(taken, a.state, (a.n + a.n % 2) * WORDS_EACH);
    a.state = taken;
    parallel_for(a.n, BLOCK, (double)a.n * 10, normal_range, &a);
}

/* ---- distributions with parameters: by rejection ---------------------------------------------------- */

/* Element i of a call has a stream of its own: key seed, counter (state counter + i, t) for its t-th four words, t > 0,
 * which are no other call's: a counter of the state, whose second half is 0, is taken for each element. */
typedef struct {
    uint64_t key, counter, t;
} element_stream;

INLINE void philox_block(uint32_t w[4], const element_stream *s)
{
    uint32_t k0 = (uint32_t)s->key, k1 = (uint32_t)(s->key >> 32);
    uint32_t c[4] = {(uint32_t)s->counter, (uint32_t)(s->counter >> 32), (uint32_t)s->t,
                     (uint32_t)(s->t >> 32)};
    for (int round = 0; round < PHILOX_ROUNDS; round++, k0 += PHILOX_W0, k1 += PHILOX_W1) {
        uint64_t p0 = (uint64_t)c[0] * PHILOX_M0, p1 = (uint64_t)c[2] * PHILOX_M1;
        c[0] = (uint32_t)(p1 >> 32) ^ c[1] ^ k0;
        c[2] = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
        c[1] = (uint32_t)p1;
        c[3] = (uint32_t)p0;
    }
    for (int i = 0; i < 4; i++) w[i] = c[i];
}

/* two numbers of (0, 1], of 53 bits in both dtypes */
INLINE void next_pair(double u[2], element_stream *s)
{
    uint32_t w[4];
    s->t++;
    philox_block(w, s);
    for (int i = 0; i < 2; i++) u[i] = open_uniform_of_two(w + 2 * i);
}

/* a draw is accepted with more than 0.9 (gamma), 0.7 (poisson) or 0.6 (binomial, von Mises): so many are never needed */
enum { MOST_DRAWS = 1000 };

/* The logarithm of a gamma variable of shape a. Marsaglia & Tsang 2000, "A simple method for generating gamma
 * variables"; below shape 1 that of shape a + 1 times U^(1/a). */
INLINE double draw_log_gamma(double a, element_stream s)
{
    double u[2], boost = 0;
    if (!(a > 0) || a == (double)INFINITY) return a == 0 ? (double)-INFINITY : a < 0 ? (double)NAN : a;
    if (a < 1) {
        next_pair(u, &s);
        boost = log(u[0]) / a;
        a += 1;
    }
    double d = a - 1.0 / 3, c = 1 / sqrt(9 * d), log_v = 0;
    for (int draw = 0; draw < MOST_DRAWS; draw++) {
        next_pair(u, &s);
        double z = sqrt(-2 * log(u[0])) * cos(6.283185307179586 * u[1]), v = 1 + c * z;
        next_pair(u, &s);
        if (v <= 0) continue;
        log_v = 3 * log(v);
        v = v * v * v;
        if (log(u[0]) < 0.5 * z * z + d - d * v + d * log_v) break;
    }
    return log(d) + log_v + boost;
}

/* A Poisson variable of mean m: below 10 the number of factors until a product of uniforms is below e^-m (Knuth), else
 * Hormann 1993, "The transformed rejection method for generating Poisson random variables", algorithm PTRS. */
INLINE double draw_poisson(double m, element_stream s)
{
    double u[2];
    if (!(m > 0) || m == (double)INFINITY) return m < 0 ? (double)NAN : m;
    if (m < 10) {
        double limit = exp(-m), product = 1;
        for (int k = 0; k < MOST_DRAWS; k += 2) {
            next_pair(u, &s);
            product *= u[0];
            if (product < limit) return k;
            product *= u[1];
            if (product < limit) return k + 1;
        }
    }
    double b = 0.931 + 2.53 * sqrt(m), a = -0.059 + 0.02483 * b, inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    double v_r = 0.9277 - 3.6224 / (b - 2), log_m = log(m), k = m;
    for (int draw = 0; draw < MOST_DRAWS; draw++) {
        next_pair(u, &s);
        double v = u[1], from_half = u[0] - 0.5, us = 0.5 - fabs(from_half);
        k = floor((2 * a / us + b) * from_half + m + 0.43);
        if (us >= 0.07 && v <= v_r) break;
        if (k < 0 || !(us >= 0.013 || v <= us)) continue;
        if (log(v * inverse_alpha / (a / (us * us) + b)) <= k * log_m - m - log_abs_gamma(k + 1)) break;
    }
    return k;
}

/* Successes of n trials with probability p. Of the rarer outcome, of probability r, below 10 are expected: by adding up
 * probabilities from 0 on until they pass a uniform number, or what is left is less than its last bit; else Hormann 1993, "The generation of binomial random
 * variates", algorithm BTRS. */
INLINE double draw_binomial(double n, double p, element_stream s)
{
    double u[2], r = p < 0.5 ? p : 1 - p, odds = r / (1 - r), k = 0;
    if (!(p >= 0 && p <= 1 && n >= 0) || n == (double)INFINITY) return (double)NAN;
    if (n * r < 10) {
        next_pair(u, &s);
        double probability = exp(n * log1p(-r));
        for (; k < n && u[0] > probability && (k < 10 || probability > 1e-17); k++) {
            u[0] -= probability;
            probability *= odds * (n - k) / (k + 1);
        }
        return p < 0.5 ? k : n - k;
    }
    double deviation = sqrt(n * r * (1 - r)), b = 1.15 + 2.53 * deviation,
           a = -0.0873 + 0.0248 * b + 0.01 * r;
    double v_r = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * deviation, mode = floor((n + 1) * r);
    double peak = log_abs_gamma(mode + 1) + log_abs_gamma(n - mode + 1);
    for (int draw = 0; draw < MOST_DRAWS; draw++) {
        next_pair(u, &s);
        double v = u[1], from_half = u[0] - 0.5, us = 0.5 - fabs(from_half);
        k = floor((2 * a / us + b) * from_half + n * r + 0.5);
        if (us >= 0.07 && v <= v_r) break;
        if (k < 0 || k > n) continue;
        double density = peak - log_abs_gamma(k + 1) - log_abs_gamma(n - k + 1) + (k - mode) * log(odds);
        if (log(v * alpha / (a / (us * us) + b)) <= density) break;
    }
    return p < 0.5 ? k : n - k;
}

/* An angle of the von Mises distribution about `loc`: Best & Fisher 1979, "Efficient simulation of the von Mises
 * distribution". Above a concentration of 1e6 it is normal to the digits of what else the formulas would give. */
INLINE double draw_von_mises(double loc, double concentration, element_stream s)
{
    double u[2], angle = 0;
    if (!(concentration >= 0)) return (double)NAN;
    if (concentration > 1e6) {
        next_pair(u, &s);
        angle = sqrt(-2 * log(u[0]) / concentration) * cos(6.283185307179586 * u[1]);
    } else {
        double kappa = fmax(concentration, 1e-300), tau = 1 + sqrt(1 + 4 * kappa * kappa);
        double rho = (tau - sqrt(2 * tau)) / (2 * kappa);
        double r = kappa < 1e-5 ? 1 / kappa + kappa : (1 + rho * rho) / (2 * rho);
        for (int draw = 0; draw < MOST_DRAWS; draw++) {
            next_pair(u, &s);
            double z = cos(3.141592653589793 * u[0]), f = (1 + r * z) / (r + z), c = kappa * (r - f);
            angle = acos(fmin(fmax(f, -1), 1));
            if (c * (2 - c) > u[1] || log(c / u[1]) + 1 - c >= 0) break;
        }
        next_pair(u, &s);
        if (u[0] <= 0.5) angle = -angle;
    }
    return remainder(loc + angle, 6.283185307179586);
}

/* y[i] = draw, of the parameters a[i] and b[i] and the stream s of the element */
#define PARAMETER(name) ((double)((const real *)args.name)[i])
#define DRAWN(name, draw, ns)                                                     \
    static void name##_range(const void *context, ptrdiff_t begin, ptrdiff_t end) \
    {                                                                             \
        const random_of_args args = *(const random_of_args *)context;             \
        real *y = args.y;                                                         \
        for (ptrdiff_t i = begin; i < end; i++) {                                 \
            element_stream s = {args.state[0], args.state[1] + (uint64_t)i, 0};   \
            y[i] = (real)(draw);                                                  \
        }                                                                         \
    }                                                                             \
    void KERNEL(name)(const void *args)                                           \
    {                                                                             \
        random_of_args a = *(const random_of_args *)args;                         \
        uint64_t taken[2];                                                        \
        random_take(taken, a.state, 4 * a.n);                                     \
        a.state = taken;                                                          \
        parallel_for(a.n, BLOCK / 8, (double)a.n * (ns), name##_range, &a);       \
    }

DRAWN(random_log_gamma, draw_log_gamma(PARAMETER(a), s), 100)
DRAWN(random_poisson, draw_poisson(PARAMETER(a), s), 100)
DRAWN(random_binomial, draw_binomial(PARAMETER(a), PARAMETER(b), s), 200)
DRAWN(random_von_mises, draw_von_mises(PARAMETER(a), PARAMETER(b), s), 200)

/* ---- permutation ---------------------------------------------------------------------------------- */

/* The words of a state in order, for a consumer that does not know how many it needs: some are taken at first,
 * then four at a time, which follow the others unless another thread drew in between. */
typedef struct {
    uint64_t *state;
    uint64_t stream[2]; /* where word 0 is, if all words to the next one lay side by side */
    ptrdiff_t taken, drawn; /* words; taken: a multiple of 4 */
    uint32_t words[RANDOM_CHUNK];
} word_stream;

static void open_stream(word_stream *s, uint64_t *state, ptrdiff_t count)
{
    s->state = state;
    s->drawn = 0;
    s->taken = ceil_div(count, 4) * 4;
    random_take(s->stream, state, s->taken);
}

INLINE uint64_t next_64_bits(word_stream *s)
{
    ptrdiff_t i = s->drawn % RANDOM_CHUNK;
    if (s->drawn == s->taken) {
        uint64_t more[2];
        random_take(more, s->state, 4);
        s->stream[1] = more[1] - (uint64_t)s->taken / 4;
        s->taken += 4;
        random_words(s->words, s->stream, s->drawn - i, RANDOM_CHUNK);
    } else if (i == 0) {
        random_words(s->words, s->stream, s->drawn, RANDOM_CHUNK);
    }
    s->drawn += 2;
    return two_words(s->words + i);
}

/* Uniform in [0, n), without bias: Lemire 2019 (arXiv:1805.10941), algorithm 5. n >= 1 */
INLINE uint64_t next_below(word_stream *s, uint64_t n)
{
    unsigned __int128 product = (unsigned __int128)next_64_bits(s) * n;
    if ((uint64_t)product < n)
        for (uint64_t rejected = -n % n; (uint64_t)product < rejected;)
            product = (unsigned __int128)next_64_bits(s) * n;
    return (uint64_t)(product >> 64);
}

/* Fisher & Yates, as Durstenfeld 1964, algorithm 235, wrote it. Takes two words a draw: 2 (n-1) words, and
 * two more for each draw that next_below rejects (fewer than n in 2^64). */
void KERNEL(random_permutation)(const void *args)
{
    const random_permutation_args *a = args;
    int64_t *index = a->index;
    word_stream stream;
    open_stream(&stream, a->state, a->n > 1 ? 2 * (a->n - 1) : 0);
    for (ptrdiff_t i = 0; i < a->n; i++) index[i] = i;
    for (ptrdiff_t i = a->n - 1; i > 0; i--) {
        ptrdiff_t j = (ptrdiff_t)next_below(&stream, (uint64_t)i + 1);
        int64_t swapped = index[i];
        index[i] = index[j];
        index[j] = swapped;
    }
}
