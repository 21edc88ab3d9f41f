/* A chain: calls of a program that follow one another and work row by row, replayed block of rows by block of rows. What
 * one call gives the next is still in the cache; and where nothing else reads it, it is kept in working memory for the rows
 * of a block alone, and its place in the program's memory is not touched. A row has the same bits in any block, so a chain
 * computes what its calls do one after another. */
#ifndef PYML_CHAIN_H
#define PYML_CHAIN_H

#include "program.h"

#include <stdbool.h>

typedef struct chain chain;

/* The longest chain among `count` calls that begins with call `first`; calls that only measure (is_extra) may stand between
 * its own, and are not made with it. NULL: there is none, or it is not worth it. */
chain *chain_find(program_call *calls, ptrdiff_t count, ptrdiff_t first, is_left_fn is_left, void *context);
void chain_free(chain *c);
ptrdiff_t chain_first(const chain *c);
ptrdiff_t chain_end(const chain *c);
double chain_bytes(const chain *c); /* that it reads and writes, without what stays in working memory */

/* Whether the pointer at `offset` of the arguments of call `call` leads into working memory. */
bool chain_keeps(const chain *c, ptrdiff_t call, ptrdiff_t offset);

/* Replays the calls, whose arguments may have moved since. */
void chain_run(const chain *c, const program_call *calls);

#endif
