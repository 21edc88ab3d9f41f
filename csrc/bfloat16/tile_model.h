/* What amx.h takes of AMX, in C, to the bit, for processors without it: Intel's manual, volume 1, chapter 18, and volume 2.
 * What the processor would refuse, wrong shapes, makes NaN. */
#ifndef PYML_BFLOAT16_TILE_MODEL_H
#define PYML_BFLOAT16_TILE_MODEL_H

#include <float.h>
#include <math.h>

typedef struct {
    int rows, row_bytes;
    uint32_t numbers[16][16];
} model_tile;

static _Thread_local model_tile tiles[8];

static void tiles_load_config(const void *config)
{
    const uint8_t *bytes = config;
    for (int i = 0; i < 8; i++) {
        uint16_t row_bytes;
        memcpy(&row_bytes, bytes + 16 + 2 * i, 2);
        tiles[i] = (model_tile){.rows = bytes[0] == 1 ? bytes[48 + i] : 0, .row_bytes = row_bytes};
    }
}

static void tiles_release(void) { memset(tiles, 0, sizeof tiles); }

static void tile_zero(int i) { memset(tiles[i].numbers, 0, sizeof tiles[i].numbers); }

static void tile_load(int i, const void *from, ptrdiff_t stride)
{
    tile_zero(i);
    for (int r = 0; r < tiles[i].rows; r++)
        memcpy(tiles[i].numbers[r], (const char *)from + r * stride, (size_t)tiles[i].row_bytes);
}

static void tile_store(int i, void *to, ptrdiff_t stride)
{
    for (int r = 0; r < tiles[i].rows; r++)
        memcpy((char *)to + r * stride, tiles[i].numbers[r], (size_t)tiles[i].row_bytes);
}

/* The number whose bits these are; a subnormal one is zero. */
static float model_number(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, 4);
    return fabsf(x) < FLT_MIN ? copysignf(0, x) : x;
}

static uint32_t model_bits(float x)
{
    uint32_t bits;
    x = fabsf(x) < FLT_MIN ? copysignf(0, x) : x;
    memcpy(&bits, &x, 4);
    return bits;
}

static void tile_dot(int to, int a, int b)
{
    model_tile *c = &tiles[to];
    const model_tile *x = &tiles[a], *y = &tiles[b];
    const bool fits = c->rows == x->rows && c->row_bytes == y->row_bytes && x->row_bytes == 4 * y->rows;
    for (int m = 0; m < c->rows; m++)
        for (int n = 0; n < c->row_bytes / 4; n++) {
            uint32_t first = 0, second = 0;
            for (int k = 0; k < x->row_bytes / 4; k++) {
                const uint32_t p = x->numbers[m][k], q = y->numbers[k][n];
                first = model_bits(fmaf(model_number(p << 16), model_number(q << 16), model_number(first)));
                second = model_bits(
                    fmaf(model_number(p & 0xFFFF0000), model_number(q & 0xFFFF0000), model_number(second)));
            }
            const uint32_t both = model_bits(model_number(first) + model_number(second));
            c->numbers[m][n] =
                fits ? model_bits(model_number(c->numbers[m][n]) + model_number(both)) : 0x7FC00000;
        }
}

#endif
