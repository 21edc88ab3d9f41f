/* See functions.h. */
#include "functions.h"

const pyml_functions pyml_function_table = {
#define X(name) name,
    FUNCTIONS(X)
#undef X
};
