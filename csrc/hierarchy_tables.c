/* What the bases of a class know of it: which tables of direct subclasses it leaves, and which
 * it enters. */
#include "hierarchy.h"

/* The future table of `type`'s direct subclasses, to be edited. */
static PyObject *
future_table(gcr_hierarchy *h, PyTypeObject *type)
{
    for (size_t i = 0; i < h->table_count; i++) {
        if (h->tables[i].type == type) {
            return h->tables[i].subclasses;
        }
    }
    PyObject *present = *gcr_type_subclasses(type);
    PyObject *copy = present == NULL ? PyDict_New() : PyDict_Copy(present);
    if (copy != NULL) {
        Py_INCREF(type);
        h->tables[h->table_count++] = (changed_table){type, copy};
    }
    return copy;
}

/* Of the j-th base, whether it changes. */
static int
changes_base(const changed_class *change, Py_ssize_t j)
{
    return PyTuple_GET_ITEM(change->type->tp_bases, j) != PyTuple_GET_ITEM(change->bases, j);
}

/* Two bases may trade places: first leave all tables that one left is in, then enter. */
static int
move_entry(gcr_hierarchy *h, changed_class *change)
{
    PyObject *key = PyLong_FromVoidPtr(change->type);
    PyObject *entry = NULL;
    int failed = key == NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(change->bases);
    for (Py_ssize_t j = 0; !failed && j < count; j++) {
        if (changes_base(change, j)) {
            PyTypeObject *from = (PyTypeObject *)PyTuple_GET_ITEM(change->type->tp_bases, j);
            PyObject *table = future_table(h, from);
            PyObject *found = table == NULL ? NULL : PyDict_GetItemWithError(table, key);
            Py_XSETREF(entry, Py_XNewRef(found));
            failed = found == NULL || PyDict_DelItem(table, key) < 0;
        }
    }
    for (Py_ssize_t j = 0; !failed && j < count; j++) {
        if (changes_base(change, j)) {
            PyTypeObject *to = (PyTypeObject *)PyTuple_GET_ITEM(change->bases, j);
            PyObject *table = future_table(h, to);
            failed = table == NULL || PyDict_SetItem(table, key, entry) < 0;
        }
    }
    Py_XDECREF(entry);
    Py_XDECREF(key);
    return failed ? refuse(h, change->type, no_memory) : 0;
}

int
gcr_hierarchy_plan_tables(gcr_hierarchy *h)
{
    size_t most = 1;
    for (size_t i = 0; i < h->class_count; i++) {
        PyObject *bases = h->classes[i].bases;
        most += bases != NULL ? 2 * (size_t)PyTuple_GET_SIZE(bases) : 0;
    }
    h->tables = PyMem_Calloc(most, sizeof *h->tables);
    if (h->tables == NULL) {
        return refuse(h, NULL, no_memory);
    }
    for (size_t i = 0; i < h->class_count; i++) {
        changed_class *change = &h->classes[i];
        for (Py_ssize_t j = 0; change->bases && j < PyTuple_GET_SIZE(change->bases); j++) {
            PyTypeObject *to = (PyTypeObject *)PyTuple_GET_ITEM(change->bases, j);
            if (changes_base(change, j) && !(to->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
                return refuse(h, to, "a static type's list of subclasses cannot be changed");
            }
        }
        if (change->bases != NULL && move_entry(h, change) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < h->table_count; i++) {
        if (PyDict_GET_SIZE(h->tables[i].subclasses) == 0) {
            Py_CLEAR(h->tables[i].subclasses);
        }
    }
    return 0;
}
