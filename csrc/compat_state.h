/* What differs between CPython versions in the states of interpreter and threads, and
 * of static types: one accessor per differing field. */
#ifndef GCR_COMPAT_STATE_H
#define GCR_COMPAT_STATE_H

#include "compat.h"

#include "internal/pycore_signal.h" // Py_NSIG
#include "internal/pycore_interp.h"
#include "internal/pycore_ast_state.h"
#include "internal/pycore_pystate.h"
#if GCR_PY312
#include "internal/pycore_runtime.h"
#include "internal/pycore_typeobject.h"
#endif
#if GCR_PY313
#include "internal/pycore_tstate.h"
#endif

/* 3.12 gathered the import system's state in a struct (gh-98609). */
#if GCR_PY312
#define GCR_IMPORTS(interp, field) ((interp)->imports.field)
#else
#define GCR_IMPORTS(interp, field) ((interp)->field)
#endif

/* 3.13 did so for codecs (gh-111900). */
#if GCR_PY313
#define GCR_CODECS(interp, field) ((interp)->codecs.field)
#else
#define GCR_CODECS(interp, field) ((interp)->codec_##field)
#endif

/* 3.12 moved tp_dict, tp_subclasses and the weak list of the core's static
 * types to the interpreter (gh-94673), 3.13 did so for some extensions'. */
#if GCR_PY313
typedef managed_static_type_state gcr_static_type_state;
#elif GCR_PY312
typedef static_builtin_state gcr_static_type_state;
#endif

/* The array of states of the core's types (table 0) or of extensions' (1). */
#if GCR_PY312
static inline gcr_static_type_state *
gcr_static_type_states(PyInterpreterState *interp, int table, size_t *count)
{
#if GCR_PY313
    if (table == 1) {
        *count = Py_ARRAY_LENGTH(interp->types.for_extensions.initialized);
        return interp->types.for_extensions.initialized;
    }
    *count = Py_ARRAY_LENGTH(interp->types.builtins.initialized);
    return interp->types.builtins.initialized;
#else
    *count = table == 0 ? Py_ARRAY_LENGTH(interp->types.builtins) : 0;
    return interp->types.builtins;
#endif
}
#endif

/* The table of direct subclasses of such a type, borrowed. */
static inline PyObject *
gcr_static_type_subclasses(PyTypeObject *type)
{
#if GCR_PY312
    PyInterpreterState *interp = PyInterpreterState_Get();
    for (int table = 0; table < 2; table++) {
        size_t count;
        gcr_static_type_state *states = gcr_static_type_states(interp, table, &count);
        for (size_t i = 0; i < count; i++) {
            if (states[i].type == type) {
                return states[i].tp_subclasses;
            }
        }
    }
#endif
    (void)type;
    return NULL;
}

/* Whether `type` is one of those. */
static inline int
gcr_type_is_managed(PyTypeObject *type)
{
#if GCR_PY312
    return (type->tp_flags & _Py_TPFLAGS_STATIC_BUILTIN) != 0;
#else
    (void)type;
    return 0;
#endif
}

#endif
