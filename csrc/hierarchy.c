/* A class is replaced as a base of others.
 *
 * All of it is computed first: the future bases, best base and MRO of every
 * class below an old one, and the future tables of direct subclasses. The commit
 * swaps pointers, and what was replaced stays owned by the gcr_hierarchy until it is
 * released. */
#include "hierarchy.h"

static const char cycle[] = "the new class inherits from a class it would become a base of";

static int
is_old(const gcr_hierarchy *h, PyTypeObject *type)
{
    for (size_t i = 0; i < h->rebase->old_count; i++) {
        if (h->rebase->olds[i] == (PyObject *)type) {
            return 1;
        }
    }
    return 0;
}

static PyObject *
future_base(const gcr_hierarchy *h, PyTypeObject *type, Py_ssize_t index)
{
    return h->rebase->future_base((PyObject *)type, index, h->rebase->arg);
}

/* Whether a base of `type` changes. */
static int
changes_bases(const gcr_hierarchy *h, PyTypeObject *type)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(type->tp_bases); i++) {
        if (future_base(h, type, i) != PyTuple_GET_ITEM(type->tp_bases, i)) {
            return 1;
        }
    }
    return 0;
}

static changed_class *
find_class(const gcr_hierarchy *h, PyTypeObject *type)
{
    for (size_t i = 0; i < h->class_count; i++) {
        if (h->classes[i].type == type) {
            return &h->classes[i];
        }
    }
    return NULL;
}

/* ---- collect ------------------------------------------------------------- */

static int
add_class(gcr_hierarchy *h, PyTypeObject *type)
{
    if (h->class_count == h->class_room) {
        size_t room = h->class_room == 0 ? 16 : 2 * h->class_room;
        changed_class *grown = PyMem_Realloc(h->classes, room * sizeof *grown);
        if (grown == NULL) {
            return refuse(h, type, no_memory);
        }
        h->classes = grown;
        h->class_room = room;
    }
    Py_INCREF(type);
    h->classes[h->class_count++] = (changed_class){.type = type};
    return 0;
}

static int
check_class(gcr_hierarchy *h, PyTypeObject *type)
{
    if (!gcr_is_python_class(type)) {
        return refuse(h, type, "a subclass of the old class is not a Python class");
    }
    static PyObject *mro_name;
    if (mro_name == NULL && (mro_name = PyUnicode_InternFromString("mro")) == NULL) {
        return refuse(h, type, no_memory);
    }
    if (gcr_type_find(Py_TYPE(type), mro_name) != gcr_default_mro()) {
        return refuse(h, type, "the metaclass of a subclass orders bases with an mro() of its own");
    }
    return 0;
}

static int collect_below(gcr_hierarchy *h, PyTypeObject *type);

/* Old classes themselves stay as they are: they are on their way out, and what
 * still runs in them needs a consistent class. */
static int
collect(gcr_hierarchy *h, PyTypeObject *type)
{
    if (is_old(h, type) || find_class(h, type) != NULL) {
        return 0;
    }
    return check_class(h, type) < 0 || add_class(h, type) < 0 || collect_below(h, type) < 0 ? -1
                                                                                            : 0;
}

static int
collect_below(gcr_hierarchy *h, PyTypeObject *type)
{
    int only_changed = is_old(h, type);
    PyObject *subclasses = *gcr_type_subclasses(type);
    Py_ssize_t position = 0;
    PyObject *entry;
    while (subclasses != NULL && PyDict_Next(subclasses, &position, NULL, &entry)) {
        PyTypeObject *subclass = gcr_subclass_of_entry(entry);
        if (subclass != NULL && (!only_changed || changes_bases(h, subclass)) &&
            collect(h, subclass) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- bases --------------------------------------------------------------- */

static int
check_bases(gcr_hierarchy *h, PyTypeObject *type, PyObject *bases)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(bases); i++) {
        PyObject *base = PyTuple_GET_ITEM(bases, i);
        if (!(((PyTypeObject *)base)->tp_flags & Py_TPFLAGS_BASETYPE)) {
            return refuse(h, type, "the new class cannot be a base of the old one's subclasses");
        }
        for (Py_ssize_t j = 0; j < i; j++) {
            if (PyTuple_GET_ITEM(bases, j) == base) {
                return refuse(h, type, "a subclass would have the same base twice");
            }
        }
    }
    return 0;
}

static int
plan_bases(gcr_hierarchy *h, changed_class *change)
{
    PyTypeObject *type = change->type;
    if (!changes_bases(h, type)) {
        return 0;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(type->tp_bases);
    change->bases = PyTuple_New(count);
    if (change->bases == NULL) {
        return refuse(h, type, no_memory);
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyTuple_SET_ITEM(change->bases, i, Py_NewRef(future_base(h, type, i)));
    }
    return check_bases(h, type, change->bases);
}

/* ---- method resolution order ---------------------------------------------- */

static int plan_mro(gcr_hierarchy *h, changed_class *change);

/* The MRO that `base` will have, borrowed. */
static PyObject *
future_mro(gcr_hierarchy *h, PyTypeObject *base)
{
    changed_class *change = find_class(h, base);
    if (change == NULL) {
        return base->tp_mro;
    }
    return plan_mro(h, change) < 0 ? NULL : change->mro;
}

static PyObject *
merged_mro(gcr_hierarchy *h, PyTypeObject *type, PyObject *bases)
{
    Py_ssize_t count = PyTuple_GET_SIZE(bases) + 1;
    PyObject *result = PyList_New(0);
    PyObject **sequences = PyMem_New(PyObject *, count);
    Py_ssize_t *heads = PyMem_New(Py_ssize_t, count);
    PyObject *mro = NULL;
    if (result == NULL || sequences == NULL || heads == NULL ||
        PyList_Append(result, (PyObject *)type) < 0) {
        refuse(h, type, no_memory);
        goto out;
    }
    sequences[count - 1] = bases;
    for (Py_ssize_t i = 0; i < count - 1; i++) {
        sequences[i] = future_mro(h, (PyTypeObject *)PyTuple_GET_ITEM(bases, i));
        if (sequences[i] == NULL) {
            goto out;
        }
        /* An old class keeps its bases, and is a base itself if it is a new as well. */
        for (Py_ssize_t j = 0; j < PyTuple_GET_SIZE(sequences[i]); j++) {
            if (PyTuple_GET_ITEM(sequences[i], j) == (PyObject *)type) {
                refuse(h, type, cycle);
                goto out;
            }
        }
    }
    int failed = gcr_mro_merge(result, sequences, heads, count);
    if (failed == 0) {
        mro = PyList_AsTuple(result);
    }
    if (mro == NULL) {
        refuse(h, type,
               failed > 0 ? "the future bases of a subclass have no consistent order" : no_memory);
    }
out:
    Py_XDECREF(result);
    PyMem_Free(sequences);
    PyMem_Free(heads);
    return mro;
}

static int
plan_mro(gcr_hierarchy *h, changed_class *change)
{
    if (change->mro != NULL) {
        return 0;
    }
    if (change->in_progress) {
        return refuse(h, change->type, cycle);
    }
    change->in_progress = 1;
    change->mro = merged_mro(h, change->type,
                             change->bases != NULL ? change->bases : change->type->tp_bases);
    change->in_progress = 0;
    return change->mro == NULL ? -1 : 0;
}

/* ---- layout ---------------------------------------------------------------- */

/* The class nearest to `type` on its future chain of bases that fixes the layout. */
static PyTypeObject *
layout_root(const gcr_hierarchy *h, PyTypeObject *type)
{
    PyTypeObject *base = type->tp_base;
    /* Old classes keep their bases. */
    for (Py_ssize_t i = 0; !is_old(h, type) && i < PyTuple_GET_SIZE(type->tp_bases); i++) {
        if (PyTuple_GET_ITEM(type->tp_bases, i) == (PyObject *)type->tp_base) {
            base = (PyTypeObject *)future_base(h, type, i);
        }
    }
    PyTypeObject *root = base != NULL ? layout_root(h, base) : &PyBaseObject_Type;
    return gcr_type_extends_layout(type, root) ? type : root;
}

static int
will_derive(gcr_hierarchy *h, PyTypeObject *type, PyTypeObject *base)
{
    PyObject *mro = future_mro(h, type);
    /* By identity: a metaclass may compare classes. A static type may have no MRO yet. */
    for (Py_ssize_t i = 0; mro != NULL && i < PyTuple_GET_SIZE(mro); i++) {
        if (PyTuple_GET_ITEM(mro, i) == (PyObject *)base) {
            return 1;
        }
    }
    return mro == NULL && PyType_IsSubtype(type, base);
}

static PyTypeObject *
best_base(gcr_hierarchy *h, PyObject *bases)
{
    PyTypeObject *best = NULL;
    PyTypeObject *best_root = NULL;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(bases); i++) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(bases, i);
        PyTypeObject *root = layout_root(h, base);
        if (best == NULL || (!will_derive(h, best_root, root) && will_derive(h, root, best_root))) {
            best = base;
            best_root = root;
        } else if (!will_derive(h, best_root, root)) {
            return NULL;
        }
    }
    return best;
}

/* After the orders are known, which refuses a cycle of bases. */
static int
plan_base(gcr_hierarchy *h, changed_class *change)
{
    PyTypeObject *type = change->type;
    if (change->bases == NULL) {
        return 0;
    }
    PyTypeObject *base = best_base(h, change->bases);
    if (base == NULL) {
        return refuse(h, type, "the future bases of a subclass have conflicting layouts");
    }
    const char *why = gcr_layout_refusal(type->tp_base, base);
    if (why != NULL) {
        return refuse(h, type, why);
    }
    change->base = (PyTypeObject *)Py_NewRef((PyObject *)base);
    return 0;
}

/* ---- the phases ------------------------------------------------------------ */

static int
plan(gcr_hierarchy *h)
{
    for (size_t i = 0; i < h->rebase->old_count; i++) {
        PyTypeObject *old_type = (PyTypeObject *)h->rebase->olds[i];
        if (!(old_type->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
            return refuse(h, old_type, "a static type cannot be replaced: C code knows its address");
        }
        if (collect_below(h, old_type) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < h->rebase->heir_count; i++) {
        if (collect(h, (PyTypeObject *)h->rebase->heirs[i]) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < h->class_count; i++) {
        if (plan_bases(h, &h->classes[i]) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < h->class_count; i++) {
        if (plan_mro(h, &h->classes[i]) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < h->class_count; i++) {
        if (plan_base(h, &h->classes[i]) < 0) {
            return -1;
        }
    }
    return gcr_hierarchy_plan_tables(h);
}

gcr_hierarchy *
gcr_hierarchy_prepare(const gcr_rebase *rebase, const char **refusal, PyObject **culprit)
{
    *refusal = no_memory;
    *culprit = NULL;
    gcr_hierarchy *h = PyMem_Calloc(1, sizeof *h);
    if (h == NULL) {
        return NULL;
    }
    h->rebase = rebase;
    if (plan(h) < 0) {
        *refusal = h->refusal;
        *culprit = Py_XNewRef(h->culprit);
        gcr_hierarchy_release(h);
        return NULL;
    }
    *refusal = NULL;
    return h;
}

static void
swap_objects(PyObject **a, PyObject **b)
{
    PyObject *object = *a;
    *a = *b;
    *b = object;
}

void
gcr_hierarchy_commit(gcr_hierarchy *h)
{
    for (size_t i = 0; i < h->class_count; i++) {
        changed_class *change = &h->classes[i];
        PyTypeObject *type = change->type;
        if (change->bases != NULL) {
            swap_objects(&type->tp_bases, &change->bases);
            swap_objects((PyObject **)&type->tp_base, (PyObject **)&change->base);
        }
        swap_objects(&type->tp_mro, &change->mro);
    }
    for (size_t i = 0; i < h->table_count; i++) {
        swap_objects(gcr_type_subclasses(h->tables[i].type), &h->tables[i].subclasses);
    }
    for (size_t i = 0; i < h->class_count; i++) {
        gcr_type_modified((PyObject *)h->classes[i].type);
    }
    for (size_t i = 0; i < h->class_count; i++) {
        gcr_type_refresh_one(h->classes[i].type);
    }
}

void
gcr_hierarchy_release(gcr_hierarchy *h)
{
    for (size_t i = 0; i < h->table_count; i++) {
        Py_XDECREF(h->tables[i].subclasses);
        Py_DECREF(h->tables[i].type);
    }
    for (size_t i = 0; i < h->class_count; i++) {
        Py_XDECREF(h->classes[i].bases);
        Py_XDECREF(h->classes[i].base);
        Py_XDECREF(h->classes[i].mro);
        Py_DECREF(h->classes[i].type);
    }
    PyMem_Free(h->tables);
    PyMem_Free(h->classes);
    PyMem_Free(h);
}

size_t
gcr_hierarchy_size(const gcr_hierarchy *h)
{
    return h->class_count;
}

PyObject *
gcr_hierarchy_class(const gcr_hierarchy *h, size_t index, PyObject **bases)
{
    *bases = h->classes[index].bases;
    return (PyObject *)h->classes[index].type;
}
