"""Every tolerance of the tests, with its reason.

A tolerance is a number of eps, of the dtype under test, of each element's scale. The scale is the
size of the wanted number itself or, where numbers of other sizes were added on the way, what the
reference says: for a sum, the sum of the absolute values (Higham, Accuracy and Stability of
Numerical Algorithms, 2002, chapters 3 and 4). One rounding costs at most half an eps.
"""

import math

EXACT = 0.0  # moved, chosen or compared, never rounded
ROUNDED = 0.5  # one operation of IEEE 754
FEW = 4.0  # up to eight roundings, none of a difference of near numbers
LIBRARY = 1.0  # a function of the C library: glibc's manual lists 1 ulp for these, and so does musl
MATH = 6.0  # a function of vmath.h (below 5 ulp) and a rounding or two around it
SPECIAL = 10.0  # of special.h: below 8 ulp, of 1 where the result is smaller, and the reference
NORMALISED = 16.0  # statistics in blocks, one square root, one division, and the affine map
SOFTMAX = 12.0  # exp of a difference, a sum in blocks, a division
INTERPOLATED = 16.0  # between four pixels, at a place that has a rounding of its own
UPDATE = 16.0  # one step of an optimizer: a dozen roundings, one square root, one division
FIFTY_UPDATES = 128.0  # ... and 50 of them: independent errors, so about sqrt(50) of one
VMAP = 64.0  # all samples at once and one after another: the same sums, blocked otherwise; matrices

# An error of so many smallest normal numbers is none: a factor was flushed to zero, and this is
# the largest number that is worth multiplying it by.
FLUSHED = 1024.0


def summed(n):
    """A sum of n terms in blocks of about 128, in a fixed order.

    Its path has 128 + n / 128 roundings. They are independent, so their sum is seldom twice the
    square root of that many half eps.
    """
    return 4 + math.sqrt(128 + n / 128)


def product(k):
    """An element of a matrix product with k terms, of the scale |a| |b|.

    At most k roundings, k / 2 eps; as they are independent, with room for the largest of many
    elements, 2 sqrt(k).
    """
    return 2 + min(k / 2, 2 * math.sqrt(k))
