/* C3, the order in which classes are looked into, over given orders of the bases:
 * type.mro() of a hierarchy that is not there yet. Runs no Python code. */
#include "types_internal.h"

static int
stands_later(PyObject *sequence, Py_ssize_t from, PyObject *type)
{
    for (Py_ssize_t i = from + 1; i < PyTuple_GET_SIZE(sequence); i++) {
        if (PyTuple_GET_ITEM(sequence, i) == type) {
            return 1;
        }
    }
    return 0;
}

/* The first head that stands in no sequence's tail; NULL if there is none. */
static PyObject *
next_in_merge(PyObject *const *sequences, const Py_ssize_t *heads, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        if (heads[i] == PyTuple_GET_SIZE(sequences[i])) {
            continue;
        }
        PyObject *candidate = PyTuple_GET_ITEM(sequences[i], heads[i]);
        Py_ssize_t j = 0;
        while (j < count && !stands_later(sequences[j], heads[j], candidate)) {
            j++;
        }
        if (j == count) {
            return candidate;
        }
    }
    return NULL;
}

int
gcr_mro_merge(PyObject *result, PyObject *const *sequences, Py_ssize_t *heads, Py_ssize_t count)
{
    Py_ssize_t left = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        heads[i] = 0;
        left += PyTuple_GET_SIZE(sequences[i]);
    }
    while (left > 0) {
        PyObject *type = next_in_merge(sequences, heads, count);
        if (type == NULL) {
            return 1;
        }
        if (PyList_Append(result, type) < 0) {
            return -1;
        }
        for (Py_ssize_t i = 0; i < count; i++) {
            if (heads[i] < PyTuple_GET_SIZE(sequences[i]) &&
                PyTuple_GET_ITEM(sequences[i], heads[i]) == type) {
                heads[i]++;
                left--;
            }
        }
    }
    return 0;
}
