/* Every type that is alive. Private to csrc/. */
#ifndef GCREMAP_TYPE_TREE_H
#define GCREMAP_TYPE_TREE_H

#include "compat_state.h"

/* `dict` and `subclasses` say where the type's are: of some static types, in the
 * interpreter's state. */
typedef int (*gcr_type_visitor)(void *arg, PyTypeObject *type, PyObject **dict,
                                PyObject **subclasses);

/* Visits each type once, until a visit returns other than 0, and returns that. Runs no
 * Python code and allocates nothing. */
int gcr_type_tree(gcr_type_visitor visit, void *arg);

#endif
