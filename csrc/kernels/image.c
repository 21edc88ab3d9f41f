/* Random views of images, all random numbers of one image from eight words of the generator. */
#include "../contracts/image.h"
#include "../random.h"
#include "kernel.h"

#include <math.h>
#include <string.h>

enum { WORDS_EACH = 8 };

/* What is drawn for one image: the pixel (r, c) of the result is that of x at
 * (middle + cosine r' - sine c', middle + sine r' + cosine c'), with (r', c') = (r + top, c + left) - middle. */
typedef struct {
    int mirrored;
    double cosine, sine;
    ptrdiff_t top, left, cut_row, cut_column;
} view;

/* uniform in 0 .. count - 1: the bias of a multiplication is below count / 2^32 */
INLINE ptrdiff_t below(uint32_t word, ptrdiff_t count)
{
    return (ptrdiff_t)((uint64_t)word * (uint64_t)count >> 32);
}

INLINE view drawn_view(const image_view_args *a, const uint32_t *words)
{
    view v;
    v.mirrored = words[0] < a->flip * 0x1p32;
    double angle = a->rotation * (words[1] * 0x1p-31 - 1);
    v.cosine = cos(angle);
    v.sine = sin(angle);
    v.top = below(words[2], a->height + 2 * a->padding - a->out_height + 1) - a->padding;
    v.left = below(words[3], a->width + 2 * a->padding - a->out_width + 1) - a->padding;
    v.cut_row = below(words[4], a->out_height) - a->cutout / 2;
    v.cut_column = below(words[5], a->out_width) - a->cutout / 2;
    return v;
}

/* a pixel of x, zero beyond its border */
INLINE real pixel(const image_view_args *a, const real *x, ptrdiff_t row, ptrdiff_t column, int mirrored)
{
    if (row < 0 || row >= a->height || column < 0 || column >= a->width) return 0;
    return x[row * a->width + (mirrored ? a->width - 1 - column : column)];
}

static void shifted(const image_view_args *a, const view *v, real *y, const real *x)
{
    for (ptrdiff_t r = 0; r < a->out_height; r++, y += a->out_width)
        for (ptrdiff_t c = 0; c < a->out_width; c++) y[c] = pixel(a, x, r + v->top, c + v->left, v->mirrored);
}

static void turned(const image_view_args *a, const view *v, real *y, const real *x)
{
    const double middle_row = (double)(a->height - 1) / 2, middle_column = (double)(a->width - 1) / 2;
    for (ptrdiff_t r = 0; r < a->out_height; r++, y += a->out_width) {
        double from_row = (double)(r + v->top) - middle_row;
        for (ptrdiff_t c = 0; c < a->out_width; c++) {
            double from_column = (double)(c + v->left) - middle_column;
            double row = middle_row + v->cosine * from_row - v->sine * from_column;
            double column = middle_column + v->sine * from_row + v->cosine * from_column;
            double whole_row = floor(row), whole_column = floor(column);
            real s = (real)(row - whole_row), t = (real)(column - whole_column);
            ptrdiff_t i = (ptrdiff_t)whole_row, j = (ptrdiff_t)whole_column;
            y[c] = (1 - s) *
                       ((1 - t) * pixel(a, x, i, j, v->mirrored) + t * pixel(a, x, i, j + 1, v->mirrored)) +
                   s * ((1 - t) * pixel(a, x, i + 1, j, v->mirrored) +
                        t * pixel(a, x, i + 1, j + 1, v->mirrored));
        }
    }
}

static void cut_out(const image_view_args *a, const view *v, real *y)
{
    ptrdiff_t begin = v->cut_column > 0 ? v->cut_column : 0;
    ptrdiff_t end = min_size(v->cut_column + a->cutout, a->out_width);
    for (ptrdiff_t r = v->cut_row > 0 ? v->cut_row : 0; r < min_size(v->cut_row + a->cutout, a->out_height);
         r++)
        if (begin < end) memset(y + r * a->out_width + begin, 0, (size_t)(end - begin) * sizeof *y);
}

static void image_view_range(const void *context, ptrdiff_t begin, ptrdiff_t end)
{
    const image_view_args a = *(const image_view_args *)context;
    const ptrdiff_t in = a.height * a.width, out = a.out_height * a.out_width;
    uint32_t words[RANDOM_CHUNK];
    for (ptrdiff_t i = begin; i < end; i++) {
        random_words(words, a.state, i * WORDS_EACH, WORDS_EACH);
        view v = drawn_view(&a, words);
        for (ptrdiff_t k = i * a.channels; k < (i + 1) * a.channels; k++) {
            real *y = (real *)a.y + k * out;
            const real *x = (const real *)a.x + k * in;
            (a.rotation > 0 ? turned : shifted)(&a, &v, y, x);
            if (a.cutout > 0) cut_out(&a, &v, y);
        }
    }
}

void KERNEL(image_view)(const void *args)
{
    image_view_args a = *(const image_view_args *)args;
    uint64_t taken[2];
    random_take(taken, a.state, a.n * WORDS_EACH);
    a.state = taken;
    double pixels = (double)a.n * (double)(a.channels * a.out_height * a.out_width);
    parallel_for(a.n, 8, pixels * (a.rotation > 0 ? 8 : 2), image_view_range, &a);
}
