/* Contexts of which the mapping is exchanged.
 *
 * It is a HAMT of nodes that contexts share and nobody else may change, placed by hash.
 * So a context gets a mapping made anew, by the call that sets variables. */
#include "compat.h"
#include "gcremap.h"
#include "internal/pycore_context.h"

#include <string.h>

int
gcr_is_context_node(PyObject *object)
{
    /* Its types are not exported. */
    return strncmp(Py_TYPE(object)->tp_name, "hamt_", 5) == 0;
}

PyObject *
gcr_context_of(const gcr_context_entry *entries, size_t count)
{
    PyObject *context = PyContext_New();
    if (context == NULL) {
        return NULL;
    }
    /* Not by PyContext_Enter, which tells who watches contexts (3.14). */
    PyThreadState *ts = PyThreadState_Get();
    PyObject *current = ts->context;
    ts->context = context;
    ts->context_ver++;
    int failed = 0;
    for (size_t i = 0; i < count && !failed; i++) {
        PyObject *token = PyContextVar_Set(entries[i].variable, entries[i].value);
        failed = token == NULL;
        Py_XDECREF(token);
    }
    ts->context = current;
    ts->context_ver++;
    if (failed) {
        PyErr_Clear();
        Py_CLEAR(context);
    }
    return context;
}

void
gcr_context_swap(PyObject *a, PyObject *b)
{
    PyHamtObject *mapping = ((PyContext *)a)->ctx_vars;
    ((PyContext *)a)->ctx_vars = ((PyContext *)b)->ctx_vars;
    ((PyContext *)b)->ctx_vars = mapping;
}
