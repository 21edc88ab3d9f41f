/* What a kernel call touches and computes, read from its arguments alone: for whoever keeps calls to run them again. */
#ifndef PYML_EFFECTS_H
#define PYML_EFFECTS_H

#include "contracts/types.h"

/* READ and WRITE: in/out. WRITE and PART: some of its bytes keep what they were. */
enum { EFFECT_READ = 1, EFFECT_WRITE = 2, EFFECT_PART = 4 };

/* One piece of memory that a call touches: [*field - before, *field - before + bytes). `field` is a pointer inside the
 * call's arguments, or inside a segment that they point to; writing it moves the piece. (GCC and Clang let a void *
 * alias any pointer.) */
typedef void (*effects_fn)(void *context, void **field, ptrdiff_t before, size_t bytes, int access);

/* Tells `visit` (may be NULL) of each piece that a call reads or writes; NULL pointers and empty pieces are left out.
 * Returns the call's floating-point operations, about: one for each + - * / sqrt, comparison or selection of an element,
 * more for exp and its like (effects.c), none for a number that is moved.
 *
 *   - A piece for WRITE alone is written whole, whatever was there. With PART its rows are apart: what is between them
 *     stays. One whose bytes may keep what they were because an option says so is in/out.
 *   - A piece for READ may turn out to have no effect (the x of dropout with p == 1).
 *   - Where an output may be an input ("y may be x"), both are told.
 *   - The options of an optimizer may change from run to run: all state that a segment has is told.
 *   - gather's x is told as one row: how far its rows reach is known to `index` alone.
 *   - The table `segments` is not a piece: it belongs to the arguments, and is kept with them. */
double pyml_effects(int kernel, pyml_dtype dtype, void *args, effects_fn visit, void *context);

#endif
