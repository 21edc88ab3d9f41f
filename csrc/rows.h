/* Which kernel calls work row by row, and how their arguments are cut into rows: for whoever runs a call block of rows by
 * block of rows. Row i of the outputs follows from row i of the inputs and from what all rows share, with the same bits
 * alone and among others. */
#ifndef PYML_ROWS_H
#define PYML_ROWS_H

#include "contracts/types.h"

#include <stdbool.h>

/* A pointer among the arguments at whose memory the rows lie, each `bytes` long, one after another. */
typedef struct {
    ptrdiff_t offset; /* of the pointer, from the arguments' begin */
    ptrdiff_t bytes;
} row_field;

enum { ROW_FIELDS = 5 };
typedef struct {
    ptrdiff_t rows;
    ptrdiff_t size; /* of the arguments */
    ptrdiff_t count,
        each; /* where they say how many there are (an offset), in units of which a row has `each` */
    row_field fields[ROW_FIELDS];
    int field_count;
} row_cut;

/* Cuts a call into `rows` rows; 0: into as many as its arguments say. False if it cannot be cut so. What `fields` does
 * not name is shared by all rows, and only read. */
bool pyml_rows(int kernel, pyml_dtype dtype, const void *args, ptrdiff_t rows, row_cut *cut);

#endif
