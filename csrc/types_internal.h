/* What types.c, hierarchy.c and instances.c share, and nobody else needs. */
#ifndef GCREMAP_TYPES_INTERNAL_H
#define GCREMAP_TYPES_INTERNAL_H

#include "compat_types.h"
#include "walk.h"

/* The rules of assignment to __class__ and __bases__ about memory. */
const char *gcr_layout_refusal(PyTypeObject *old_type, PyTypeObject *new_type);

/* Non-zero if either is a class of ctypes and the other does not have the same C types in
 * the same places. May allocate. */
int gcr_ctypes_differ(PyTypeObject *old_type, PyTypeObject *new_type);

/* Whether an object of ctypes keeps `old` since its memory has the address. */
int gcr_ctypes_relies_on(PyObject *object, PyObject *old);

/* A stream of io, and whether it has private state about `old`. */
int gcr_is_stream(PyObject *object);
int gcr_stream_relies_on(PyObject *object, PyObject *old);

/* Recomputes every C slot of one class; ignores what is not a Python class. */
void gcr_type_refresh_one(PyTypeObject *type);

/* The value of `name` in the namespaces along the MRO, borrowed; never fails. */
PyObject *gcr_type_find(PyTypeObject *type, PyObject *name);

/* The class that an entry of tp_subclasses names, borrowed, or NULL if it died. */
PyTypeObject *gcr_subclass_of_entry(PyObject *weakref);

/* type.mro, to tell a metaclass that has its own. */
PyObject *gcr_default_mro(void);

/* Appends to the list `result` the merge of `count` tuples: the MROs of the bases
 * and, last, the bases. `heads` is scratch, an item for each. 1: there is no
 * consistent order; -1: no memory, with an exception. */
int gcr_mro_merge(PyObject *result, PyObject *const *sequences, Py_ssize_t *heads,
                  Py_ssize_t count);

#endif
