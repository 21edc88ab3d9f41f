/* Random views of images. */
#ifndef PYML_CONTRACTS_IMAGE_H
#define PYML_CONTRACTS_IMAGE_H

#include "types.h"

/* Image i of y, (n, channels, out_height, out_width), is a window of image i of x, (n, channels, height, width), with
 * zeros around it. By eight words of the generator for each image (see random.h), in this order:
 *
 *   0  mirrored left to right, with probability `flip`
 *   1  turned about its centre by an angle of U[-rotation, rotation], radians, with linear interpolation
 *   2, 3  the window's top and left, uniform in -padding .. height + padding - out_height, and of width alike
 *   4, 5  the centre of a square of `cutout` pixels a side that is zero, uniform in y; it is cut at the border
 *
 * The window, at least one place of which there is, is taken of the turned image, and that of the mirrored one. */
typedef struct {
    void *y;
    uint64_t *state; /* in/out (2) */
    const void *x;
    ptrdiff_t n, channels, height, width, out_height, out_width, padding, cutout;
    double flip, rotation;
} image_view_args;

#endif
