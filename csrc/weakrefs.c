/* Weak references: moved from the list of one object to that of another. */
#include "compat_state.h"
#include "compat_tables.h"
#include "compat_types.h"
#include "walk.h"

struct gcr_weakrefs {
    PyObject *from;
    PyObject *to;
    /* For a class whose own reference moves: what takes its place in the bases'
     * tables of subclasses, and its key there. Owned. */
    PyObject *stand_in;
    PyObject *address;
    size_t count;
    PyWeakReference *refs[];
};

/* Where the object's list of weak references starts; NULL if it can have none
 * that gcremap could reach. */
static PyWeakReference **
list_of(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    if (type->tp_weaklistoffset == 0 || gcr_weakrefs_elsewhere(object)) {
        return NULL;
    }
    return (PyWeakReference **)((char *)object + type->tp_weaklistoffset);
}

static int
is_basic_ref(PyWeakReference *ref)
{
    return ref != NULL && ref->wr_callback == NULL && PyWeakref_CheckRefExact(ref);
}

static int
is_basic_proxy(PyWeakReference *ref)
{
    return ref != NULL && ref->wr_callback == NULL && PyWeakref_CheckProxy(ref);
}

static int
selected(PyWeakReference *ref, PyObject *const *only, size_t count)
{
    /* At 0 it is about to unlink itself. */
    if (Py_REFCNT(ref) == 0) {
        return 0;
    }
    if (only == NULL) {
        return 1;
    }
    size_t low = 0;
    while (low < count) {
        size_t middle = low + (count - low) / 2;
        if (only[middle] == (PyObject *)ref) {
            return 1;
        }
        if ((uintptr_t)only[middle] < (uintptr_t)ref) {
            low = middle + 1;
        }
        else {
            count = middle;
        }
    }
    return 0;
}

/* ---- the reference that bases know a class by ------------------------------ */

/* The table of {address: weak reference} of direct subclasses, borrowed. */
static PyObject *
subclasses_of(PyTypeObject *type)
{
    if (gcr_type_is_managed(type)) {
        return gcr_static_type_subclasses(type);
    }
    return *gcr_type_subclasses(type);
}

/* How many bases' tables have `ref` under the key `address`. */
static Py_ssize_t
count_in_bases(PyTypeObject *type, PyObject *address, PyWeakReference *ref)
{
    Py_ssize_t count = 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(type->tp_bases); i++) {
        PyObject *table = subclasses_of((PyTypeObject *)PyTuple_GET_ITEM(type->tp_bases, i));
        count += table != NULL && PyDict_GetItem(table, address) == (PyObject *)ref;
    }
    return count;
}

/* Makes a weak reference to nobody's set: the commit turns it over to the class. */
static PyObject *
make_stand_in(void)
{
    PyObject *nobody = PySet_New(NULL);
    PyObject *ref = nobody == NULL ? NULL : PyWeakref_NewRef(nobody, NULL);
    Py_XDECREF(nobody);
    PyErr_Clear();
    return ref;
}

/* Decides about `ref`, the first of the references to a class: 1 if it may move, 0
 * if it must stay, -1 without memory. */
static int
may_move_own_ref(gcr_weakrefs *refs, PyWeakReference *ref)
{
    refs->address = PyLong_FromVoidPtr(refs->from);
    if (refs->address == NULL) {
        PyErr_Clear();
        return -1;
    }
    Py_ssize_t in_bases = count_in_bases((PyTypeObject *)refs->from, refs->address, ref);
    if (in_bases > 0 && Py_REFCNT(ref) == in_bases) {
        return 0;
    }
    if (in_bases > 0 && (refs->stand_in = make_stand_in()) == NULL) {
        return -1;
    }
    return 1;
}

/* Items that exist get another value: nothing is allocated, nothing can fail. */
static void
put_stand_in(gcr_weakrefs *refs, PyWeakReference *own)
{
    PyTypeObject *type = (PyTypeObject *)refs->from;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(type->tp_bases); i++) {
        PyObject *table = subclasses_of((PyTypeObject *)PyTuple_GET_ITEM(type->tp_bases, i));
        if (table != NULL && PyDict_GetItem(table, refs->address) == (PyObject *)own) {
            PyDict_SetItem(table, refs->address, refs->stand_in);
        }
    }
    PyWeakReference *ref = (PyWeakReference *)refs->stand_in;
    PyWeakReference **list = list_of(refs->from);
    ref->wr_object = refs->from;
    ref->wr_next = *list;
    if (*list != NULL) {
        (*list)->wr_prev = ref;
    }
    *list = ref;
}

/* ---- moving ------------------------------------------------------------------ */

size_t
gcr_weakref_count(PyObject *object)
{
    PyWeakReference **list = list_of(object);
    size_t count = 0;
    for (PyWeakReference *ref = list != NULL ? *list : NULL; ref != NULL; ref = ref->wr_next) {
        count++;
    }
    return count;
}

gcr_weakrefs *
gcr_weakrefs_prepare(PyObject *from, PyObject *to, PyObject *const *only, size_t only_count,
                     const char **why)
{
    *why = NULL;
    PyWeakReference **list = list_of(from);
    if (list_of(to) == NULL) {
        *why = "the new object cannot be weakly referenced";
        return NULL;
    }
    gcr_weakrefs *refs = PyMem_RawMalloc(sizeof(gcr_weakrefs)
                                         + gcr_weakref_count(from) * sizeof(PyWeakReference *));
    if (refs == NULL) {
        return NULL;
    }
    refs->from = from;
    refs->to = to;
    refs->count = 0;
    refs->stand_in = refs->address = NULL;
    for (PyWeakReference *ref = list != NULL ? *list : NULL; ref != NULL; ref = ref->wr_next) {
        int moves = selected(ref, only, only_count);
        if (moves && PyType_Check(from) && is_basic_ref(ref) && ref == *list) {
            moves = may_move_own_ref(refs, ref);
        }
        if (moves < 0) {
            gcr_weakrefs_free(refs);
            return NULL;
        }
        if (moves) {
            refs->refs[refs->count++] = ref;
        }
    }
    return refs;
}

void
gcr_weakrefs_detach(gcr_weakrefs *refs)
{
    PyWeakReference **list = list_of(refs->from);
    for (size_t i = 0; i < refs->count; i++) {
        PyWeakReference *ref = refs->refs[i];
        assert(ref->wr_object == refs->from);
        *(ref->wr_prev != NULL ? &ref->wr_prev->wr_next : list) = ref->wr_next;
        if (ref->wr_next != NULL) {
            ref->wr_next->wr_prev = ref->wr_prev;
        }
        ref->wr_prev = ref->wr_next = NULL;
    }
    if (refs->stand_in != NULL) {
        put_stand_in(refs, refs->refs[0]);
    }
}

static void
insert(PyWeakReference *ref, PyWeakReference *prev, PyWeakReference **list)
{
    PyWeakReference **link = prev != NULL ? &prev->wr_next : list;
    ref->wr_prev = prev;
    ref->wr_next = *link;
    if (ref->wr_next != NULL) {
        ref->wr_next->wr_prev = ref;
    }
    *link = ref;
}

void
gcr_weakrefs_attach(gcr_weakrefs *refs)
{
    PyWeakReference **list = list_of(refs->to);
    /* CPython shares one plain ref and one plain proxy without callback, which
     * it looks for only at the start of the list, in this order
     * (Objects/weakrefobject.c, get_basic_refs). Where `to` has its own, those
     * of `from` become members like others: they stay equal to the shared one. */
    for (size_t i = 0; i < refs->count; i++) {
        if (is_basic_ref(refs->refs[i]) && !is_basic_ref(*list)) {
            insert(refs->refs[i], NULL, list);
        }
    }
    PyWeakReference *last = is_basic_ref(*list) ? *list : NULL;
    for (size_t i = 0; i < refs->count; i++) {
        PyWeakReference *second = last != NULL ? last->wr_next : *list;
        if (is_basic_proxy(refs->refs[i]) && !is_basic_proxy(second)) {
            insert(refs->refs[i], last, list);
        }
    }
    PyWeakReference *second = last != NULL ? last->wr_next : *list;
    if (is_basic_proxy(second)) {
        last = second;
    }
    for (size_t i = 0; i < refs->count; i++) {
        PyWeakReference *ref = refs->refs[i];
        if (ref != *list && ref->wr_prev == NULL) {
            insert(ref, last, list);
            last = ref;
        }
        ref->wr_object = refs->to;
        ref->hash = -1;
    }
}

size_t
gcr_weakrefs_length(const gcr_weakrefs *refs)
{
    return refs->count;
}

PyObject *
gcr_weakrefs_item(const gcr_weakrefs *refs, size_t i)
{
    return (PyObject *)refs->refs[i];
}

void
gcr_weakrefs_free(gcr_weakrefs *refs)
{
    if (refs != NULL) {
        Py_XDECREF(refs->stand_in);
        Py_XDECREF(refs->address);
    }
    PyMem_RawFree(refs);
}
