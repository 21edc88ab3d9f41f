"""Every tolerance of the tests, with its reason.

A tolerance is a number of eps (of the dtype under test) of each element's scale. The scale is the size of the wanted
number itself, or, where numbers of other sizes were added on the way, what the reference says: for a sum, the sum of
the absolute values (Higham, Accuracy and Stability of Numerical Algorithms, 2002, chapters 3 and 4). One rounding costs
at most half an eps.
"""

import math

EXACT = 0.0  # moved, chosen or compared, never rounded
ROUNDED = 0.5  # one operation of IEEE 754, or several that only scale by powers of two
FEW = 4.0  # up to eight roundings, none of a difference of near numbers
MATH = 6.0  # a function of vmath.h (below 3 ulp) and a few roundings around it
NORMALISED = 16.0  # statistics in blocks, one square root, one division, and the affine map
SOFTMAX = 12.0  # exp of a difference, a sum in blocks, a division
UPDATE = 16.0  # one step of an optimizer: a dozen roundings and one square root
SEVERAL_UPDATES = 64.0  # ... and a few steps of it on its own state
FIFTY_UPDATES = 128.0  # ... and 50 of them: independent errors, so sqrt(50) of one
FLUSHED = 1024.0  # smallest normal numbers: a factor that was flushed to zero, times the largest that matters beside it


def summed(n):
    """A sum of n terms, in blocks in a fixed order. The bound for blocks of 128 is (128 + n/128) / 2 roundings; their
    errors are independent, so twice the square root is rarely reached, and 4 is for short sums."""
    return 4 + 2 * math.sqrt(128 + n / 128) / 2 if n > 16 else 4.0


def product(k):
    """An element of a matrix product with k terms, of the scale |a| |b|: at most k roundings, k / 2 eps, without blocks;
    sqrt(k) for independent errors, with room for the largest of many elements."""
    return 2 + min(k / 2, 2 * math.sqrt(k))
