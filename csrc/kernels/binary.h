/* Two operands with broadcasting. */
#ifndef PYML_BINARY_H
#define PYML_BINARY_H

#include "kernel.h"

/* Rows that follow one another without a gap are one row; so is a column. */
INLINE binary_args merge_rows(binary_args a)
{
    if (a.cols == 1 && (a.a_row == 0 || a.a_row == 1) && (a.b_row == 0 || a.b_row == 1)) {
        a.a_col = a.a_row;
        a.b_col = a.b_row;
    }
    if (a.a_row == a.a_col * a.cols && a.b_row == a.b_col * a.cols) {
        a.cols *= a.rows;
        a.rows = 1;
    }
    return a;
}

#endif
