/* Two operands with broadcasting. */
#ifndef PYML_BINARY_H
#define PYML_BINARY_H

#include "kernel.h"

/* In arguments `a` of two operands: rows that follow one another without a gap become one row; so does a column. */
#define MERGE_ROWS(a)                                                                          \
    do {                                                                                       \
        if (a.cols == 1 && (a.a_row == 0 || a.a_row == 1) && (a.b_row == 0 || a.b_row == 1)) { \
            a.a_col = a.a_row;                                                                 \
            a.b_col = a.b_row;                                                                 \
        }                                                                                      \
        if (a.a_row == a.a_col * a.cols && a.b_row == a.b_col * a.cols) {                      \
            a.cols *= a.rows;                                                                  \
            a.rows = 1;                                                                        \
        }                                                                                      \
    } while (0)

#endif
