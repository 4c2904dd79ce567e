/* numpy object arrays: no GC objects, with slots in a block of their own.
 *
 * The head of PyArrayObject_fields and of PyArray_Descr is part of numpy's C ABI
 * and the same in numpy 1 and 2 (numpy/core/include/numpy/ndarraytypes.h). */
#include "walk.h"

typedef struct descr_head {
    PyObject_HEAD
    PyTypeObject *typeobj;
    char kind;
    char type;
    char byteorder;
    char former_flags;
    int type_num;
} descr_head;

typedef struct array_head {
    PyObject_HEAD
    char *data;
    int nd;
    Py_ssize_t *dimensions;
    Py_ssize_t *strides;
    PyObject *base;
    descr_head *descr;
} array_head;

enum { NUMPY_OBJECT = 17 };

static int
walk_dimension(array_head *array, int dimension, char *data, Py_ssize_t *index, gcr_walk_state *walk)
{
    if (dimension == array->nd) {
        /* Unaligned views exist; their items are no slots that can be written. */
        if ((uintptr_t)data % sizeof(PyObject *) != 0) {
            return 0;
        }
        GCR_SHOW(.address = (PyObject **)data, .name = "<item>", .index = (*index)++,
                 .flags = GCR_HIDDEN);
        return 0;
    }
    for (Py_ssize_t i = 0; i < array->dimensions[dimension]; i++) {
        int result = walk_dimension(array, dimension + 1, data + i * array->strides[dimension], index,
                                    walk);
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

int
gcr_walk_numpy(PyObject *holder, gcr_walk_state *walk)
{
    array_head *array = (array_head *)holder;
    Py_ssize_t index = 0;
    GCR_SHOW(.address = &array->base, .accepts = GCR_NOTHING, .name = ".base", .flags = GCR_HIDDEN);
    if (array->descr->type_num != NUMPY_OBJECT) {
        return 0;
    }
    return walk_dimension(array, 0, array->data, &index, walk);
}
