/* What the bytecode alone says about a frame's evaluation stack. */
#ifndef GCR_STACK_DEPTH_H
#define GCR_STACK_DEPTH_H

#include "compat.h"

/* The most words at the top of the stack that instruction `index` (in code
 * units) may have copied to C variables, or consumed, while it is executing:
 * nobody else may write them. -1 if it cannot be told. Allocates nothing. */
int gcr_operands(PyCodeObject *code, int index);

/* The depth of the stack before instruction `index`, and in *level the depth
 * to which an exception raised by it would unwind. -1 if it cannot be told with
 * certainty. Takes scratch memory from malloc, never from Python. */
int gcr_stack_depth(PyCodeObject *code, int index, int *level);

#endif
