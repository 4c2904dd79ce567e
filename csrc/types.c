/* Classes and functions changed in place: caches and C slots that must follow.
 *
 * CPython's update_slot is not exported, and setting an attribute again to reach
 * it can allocate and fail. Its table, though, is public: every wrapper
 * descriptor (object.__repr__) points at its own row. So the slots are computed
 * here, from the namespaces as they stand, without allocation: the same function
 * repairs after a commit and after an undo. */
#include "types_internal.h"

#include <string.h>

static struct {
    struct wrapperbase *rows; /* typeobject.c's slotdefs, ended by a NULL name */
    iternextfunc no_next;    /* _PyObject_NextNotImplemented, hidden since 3.13 */
    PyCFunction new_wrapper; /* what object.__new__ calls */
    int native_subscript;    /* see is_native_subscript */
    PyObject *mro;           /* type.__dict__["mro"] */
    PyObject *abstractmethods;
    PyObject *hash;
    PyObject *eq;
} learned;

/* The table starts with the four attribute rows, then __repr__. */
static const char *const first_rows[] = {
    "__getattribute__", "__getattr__", "__setattr__", "__delattr__", "__repr__",
};
#define ROWS_BEFORE_REPR 4

static const char *
learn_rows(void)
{
    PyObject *repr = PyDict_GetItemString(gcr_type_dict(&PyBaseObject_Type), "__repr__");
    if (repr == NULL || !Py_IS_TYPE(repr, &PyWrapperDescr_Type)) {
        return "this interpreter's object.__repr__ is not a slot wrapper";
    }
    struct wrapperbase *row = ((PyWrapperDescrObject *)repr)->d_base - ROWS_BEFORE_REPR;
    for (int i = 0; i <= ROWS_BEFORE_REPR; i++) {
        if (row[i].name == NULL || strcmp(row[i].name, first_rows[i]) != 0) {
            return "this interpreter orders its slot table in an unknown way";
        }
    }
    learned.rows = row;
    return NULL;
}

const char *
gcr_types_init(void)
{
    if (learned.rows != NULL) {
        return NULL;
    }
    PyObject *new = PyDict_GetItemString(gcr_type_dict(&PyBaseObject_Type), "__new__");
    if (new == NULL || !PyCFunction_CheckExact(new)) {
        return "this interpreter's object.__new__ is not a built-in function";
    }
    learned.new_wrapper = PyCFunction_GET_FUNCTION(new);
    learned.mro = PyDict_GetItemString(gcr_type_dict(&PyType_Type), "mro");
    learned.abstractmethods = PyUnicode_InternFromString("__abstractmethods__");
    learned.hash = PyUnicode_InternFromString("__hash__");
    learned.eq = PyUnicode_InternFromString("__eq__");
    PyObject *sample = PyObject_CallFunction((PyObject *)&PyType_Type, "s(){}", "sample");
    if (sample == NULL || learned.mro == NULL || learned.abstractmethods == NULL ||
        learned.hash == NULL || learned.eq == NULL) {
        PyErr_Clear();
        Py_XDECREF(sample);
        return "no memory to look at this interpreter's types";
    }
    PyObject *list = PyObject_CallFunction((PyObject *)&PyType_Type, "s(O){}", "sample",
                                           (PyObject *)&PyList_Type);
    if (list == NULL) {
        PyErr_Clear();
        Py_DECREF(sample);
        return "no memory to look at this interpreter's types";
    }
    learned.native_subscript = ((PyTypeObject *)list)->tp_as_mapping->mp_subscript ==
                               PyList_Type.tp_as_mapping->mp_subscript;
    Py_DECREF(list);
    learned.no_next = ((PyTypeObject *)sample)->tp_iternext;
    Py_DECREF(sample);
    return learn_rows();
}

PyObject *
gcr_default_mro(void)
{
    return learned.mro;
}

PyTypeObject *
gcr_subclass_of_entry(PyObject *weakref)
{
    /* A class in the midst of its deallocation is still named, with a count of zero. */
    PyObject *object = ((PyWeakReference *)weakref)->wr_object;
    return object == Py_None || Py_REFCNT(object) <= 0 ? NULL : (PyTypeObject *)object;
}

/* Namespaces are keyed by interned exact strings, so a lookup compares pointers;
 * a foreign key of the same hash is the only way to a Python __eq__, as it is in
 * every attribute lookup of CPython's own slot update. */
static PyObject *
namespace_get(PyTypeObject *type, PyObject *name)
{
    PyObject *dict = gcr_type_dict(type);
    if (dict == NULL) {
        return NULL;
    }
    return _PyDict_GetItem_KnownHash(dict, name, ((PyASCIIObject *)name)->hash);
}

PyObject *
gcr_type_find(PyTypeObject *type, PyObject *name)
{
    PyObject *mro = type->tp_mro;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mro); i++) {
        PyObject *value = namespace_get((PyTypeObject *)PyTuple_GET_ITEM(mro, i), name);
        if (value != NULL) {
            return value;
        }
    }
    return NULL;
}

int
gcr_hashes_alike(PyObject *a, PyObject *b)
{
    PyTypeObject *type_a = (PyTypeObject *)a, *type_b = (PyTypeObject *)b;
    return gcr_type_find(type_a, learned.hash) == gcr_type_find(type_b, learned.hash) &&
           gcr_type_find(type_a, learned.eq) == gcr_type_find(type_b, learned.eq);
}

/* ---- layouts ----------------------------------------------------------- */

/* A class statement makes a class of the collector's even of one that is not, like
 * `object`, and adds no fields by that: abc.ABC, typing.Generic. */
static int
same_layout_as_base(PyTypeObject *type)
{
    PyTypeObject *base = type->tp_base;
    return base != NULL && type->tp_basicsize == base->tp_basicsize &&
           type->tp_itemsize == base->tp_itemsize && type->tp_dictoffset == base->tp_dictoffset &&
           type->tp_weaklistoffset == base->tp_weaklistoffset &&
           (gcr_is_python_class(type) || !((type->tp_flags ^ base->tp_flags) & Py_TPFLAGS_HAVE_GC)) &&
           (type->tp_dealloc == gcr_subtype_dealloc || type->tp_dealloc == base->tp_dealloc);
}

static int
same_names(PyObject *a, PyObject *b)
{
    if (PyTuple_GET_SIZE(a) != PyTuple_GET_SIZE(b)) {
        return 0;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(a); i++) {
        if (PyUnicode_Compare(PyTuple_GET_ITEM(a, i), PyTuple_GET_ITEM(b, i)) != 0) {
            return 0;
        }
    }
    return 1;
}

/* Everything at the same offsets, whatever CPython can tell of how it came there:
 * 3.11 refuses to compare a dict or weak list behind slots or items. */
static int
same_offsets(PyTypeObject *a, PyTypeObject *b)
{
    PyObject *slots_a = ((PyHeapTypeObject *)a)->ht_slots;
    PyObject *slots_b = ((PyHeapTypeObject *)b)->ht_slots;
    return a->tp_basicsize == b->tp_basicsize && a->tp_itemsize == b->tp_itemsize &&
           a->tp_dictoffset == b->tp_dictoffset && a->tp_weaklistoffset == b->tp_weaklistoffset &&
           (slots_a == NULL) == (slots_b == NULL) &&
           (slots_a == NULL || same_names(slots_a, slots_b));
}

/* Two classes that each added the same fields to bases laid out alike. */
static int
same_slots_added(PyTypeObject *a, PyTypeObject *b)
{
    if (!(a->tp_flags & Py_TPFLAGS_HEAPTYPE) || !(b->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
        return 0;
    }
    if (gcr_is_python_class(a) && gcr_is_python_class(b) && same_offsets(a, b)) {
        return 1;
    }
    Py_ssize_t size = a->tp_base->tp_basicsize;
    const Py_ssize_t word = (Py_ssize_t)sizeof(PyObject *);
    if (a->tp_dictoffset == size && b->tp_dictoffset == size) {
        size += word;
    }
    if (a->tp_weaklistoffset == size && b->tp_weaklistoffset == size) {
        size += word;
    }
    PyObject *slots_a = ((PyHeapTypeObject *)a)->ht_slots;
    PyObject *slots_b = ((PyHeapTypeObject *)b)->ht_slots;
    if (slots_a != NULL && slots_b != NULL) {
        if (!same_names(slots_a, slots_b)) {
            return 0;
        }
        size += word * PyTuple_GET_SIZE(slots_a);
    }
    return size == a->tp_basicsize && size == b->tp_basicsize;
}

static int
same_layout(PyTypeObject *a, PyTypeObject *b)
{
    for (;;) {
        while (same_layout_as_base(a)) {
            a = a->tp_base;
        }
        while (same_layout_as_base(b)) {
            b = b->tp_base;
        }
        if (a == b) {
            return 1;
        }
        if (a->tp_base == NULL || b->tp_base == NULL || !same_slots_added(a, b)) {
            return 0;
        }
        a = a->tp_base;
        b = b->tp_base;
    }
}

const char *
gcr_layout_refusal(PyTypeObject *old_type, PyTypeObject *new_type)
{
    if (old_type == new_type) {
        return NULL;
    }
    if (old_type->tp_free != new_type->tp_free) {
        return "the classes free their instances differently";
    }
    if (!same_layout(old_type, new_type)) {
        return "the instances of the classes are laid out differently "
               "(__slots__, __dict__, __weakref__ or a built-in base)";
    }
    unsigned long mask = GCR_TPFLAGS_VALUES | GCR_TPFLAGS_PREHEADER | Py_TPFLAGS_HAVE_GC;
    if ((old_type->tp_flags & mask) != (new_type->tp_flags & mask)) {
        return "the instances of the classes keep __dict__ or __weakref__ differently, or those of "
               "one are unknown to the collector";
    }
    if (gcr_ctypes_differ(old_type, new_type)) {
        return "the fields of the classes are of other C types: C code keeps them in memory "
               "of the old size";
    }
    return NULL;
}

/* ---- slots ------------------------------------------------------------- */

/* A row's offset counts from PyHeapTypeObject, where the suites are embedded; a
 * class may point at a suite elsewhere, or have none. Ordered as they lie. */
static void **
slot_address(PyTypeObject *type, size_t offset)
{
    char *suite = (char *)type;
    size_t start = 0;
    if (offset >= offsetof(PyHeapTypeObject, as_sequence)) {
        suite = (char *)type->tp_as_sequence;
        start = offsetof(PyHeapTypeObject, as_sequence);
        if (offset >= offsetof(PyHeapTypeObject, as_buffer)) {
            suite = (char *)type->tp_as_buffer;
            start = offsetof(PyHeapTypeObject, as_buffer);
        }
    } else if (offset >= offsetof(PyHeapTypeObject, as_mapping)) {
        suite = (char *)type->tp_as_mapping;
        start = offsetof(PyHeapTypeObject, as_mapping);
    } else if (offset >= offsetof(PyHeapTypeObject, as_number)) {
        suite = (char *)type->tp_as_number;
        start = offsetof(PyHeapTypeObject, as_number);
    } else if (offset >= offsetof(PyHeapTypeObject, as_async)) {
        suite = (char *)type->tp_as_async;
        start = offsetof(PyHeapTypeObject, as_async);
    }
    return suite == NULL ? NULL : (void **)(suite + (offset - start));
}

/* The one filled slot that rows of this name describe; NULL if none or several
 * (__add__ is nb_add and sq_concat). */
static void **
only_slot_named(PyTypeObject *type, PyObject *name)
{
    void **found = NULL;
    for (struct wrapperbase *row = learned.rows; row->name != NULL; row++) {
        if (row->name_strobj != name) {
            continue;
        }
        void **slot = slot_address(type, (size_t)row->offset);
        if (slot == NULL || *slot == NULL) {
            continue;
        }
        if (found != NULL) {
            return NULL;
        }
        found = slot;
    }
    return found;
}

static int
is_new_wrapper(PyObject *value)
{
    return PyCFunction_CheckExact(value) && PyCFunction_GET_FUNCTION(value) == learned.new_wrapper &&
           PyType_Check(PyCFunction_GET_SELF(value));
}

/* The tp_new of the nearest builtin base, which alone knows how to make the memory.
 * CPython keeps what stands in the slot (bpo-5322): after a base's own __new__
 * went, that is the slot that looks __new__ up, and object.__new__ then refuses the
 * arguments that __init__ takes. */
static void *
native_new(PyTypeObject *type, void *lookup)
{
    PyTypeObject *base = type->tp_base;
    while (base != NULL && (void *)base->tp_new == lookup) {
        base = base->tp_base;
    }
    return base == NULL ? (void *)type->tp_new : (void *)base->tp_new;
}

/* list and dict define __getitem__ as a method beside the slot (METH_COEXIST), to
 * be called faster. Until 3.14 CPython took it for a method like any other, and gave
 * subclasses the slot that looks it up; since 3.14 they inherit the native slot. */
static int
is_native_subscript(PyTypeObject *type, void **slot, PyObject *value)
{
    if (!learned.native_subscript || slot != (void **)&type->tp_as_mapping->mp_subscript ||
        !Py_IS_TYPE(value, &PyMethodDescr_Type)) {
        return 0;
    }
    PyTypeObject *owner = PyDescr_TYPE(value);
    return (((PyMethodDescrObject *)value)->d_method->ml_flags & METH_COEXIST) &&
           PyType_IsSubtype(type, owner) && owner->tp_as_mapping != NULL &&
           owner->tp_as_mapping->mp_subscript != NULL;
}

/* What the rows for one slot agree on, as update_one_slot has it: `specific` is
 * the C function a builtin base has for it, `generic` looks the method up. */
typedef struct slot_choice {
    void *specific;
    void *generic;
    int use_generic;
} slot_choice;

static void
choose(PyTypeObject *type, void **slot, const struct wrapperbase *row, slot_choice *choice)
{
    PyObject *value = gcr_type_find(type, row->name_strobj);
    if (value == NULL) {
        if (slot == (void **)&type->tp_iternext) {
            choice->specific = (void *)learned.no_next;
        }
        return;
    }
    if (Py_IS_TYPE(value, &PyWrapperDescr_Type) &&
        ((PyWrapperDescrObject *)value)->d_base->name_strobj == row->name_strobj) {
        PyWrapperDescrObject *wrapper = (PyWrapperDescrObject *)value;
        void **only = only_slot_named(type, row->name_strobj);
        if (only == NULL || only == slot) {
            choice->generic = row->function;
        }
        if ((choice->specific == NULL || choice->specific == wrapper->d_wrapped) &&
            wrapper->d_base->wrapper == row->wrapper &&
            PyType_IsSubtype(type, PyDescr_TYPE(wrapper))) {
            choice->specific = wrapper->d_wrapped;
        } else {
            choice->use_generic = 1;
        }
    } else if (slot == (void **)&type->tp_new && is_new_wrapper(value)) {
        choice->specific = native_new(type, row->function);
    } else if (is_native_subscript(type, slot, value)) {
        choice->specific = (void *)PyDescr_TYPE(value)->tp_as_mapping->mp_subscript;
    } else if (slot == (void **)&type->tp_hash && value == Py_None) {
        choice->specific = (void *)PyObject_HashNotImplemented;
    } else {
        choice->use_generic = 1;
        choice->generic = row->function;
        if (slot == (void **)&type->tp_call) {
            /* Vectorcall would bypass a __call__ written in Python. */
            type->tp_flags &= ~Py_TPFLAGS_HAVE_VECTORCALL;
        }
    }
}

static void
refresh_abstract(PyTypeObject *type)
{
    PyObject *names = namespace_get(type, learned.abstractmethods);
    if (names != NULL && PyAnySet_CheckExact(names)) {
        if (PySet_GET_SIZE(names) > 0) {
            type->tp_flags |= Py_TPFLAGS_IS_ABSTRACT;
        } else {
            type->tp_flags &= ~Py_TPFLAGS_IS_ABSTRACT;
        }
    }
}

void
gcr_type_refresh_one(PyTypeObject *type)
{
    if (!gcr_is_python_class(type)) {
        return;
    }
    const struct wrapperbase *row = learned.rows;
    while (row->name != NULL) {
        int offset = row->offset;
        void **slot = slot_address(type, (size_t)offset);
        slot_choice choice = {NULL, NULL, 0};
        do {
            if (slot != NULL) {
                choose(type, slot, row, &choice);
            }
            row++;
        } while (row->name != NULL && row->offset == offset);
        if (slot != NULL) {
            *slot = choice.specific != NULL && !choice.use_generic ? choice.specific
                                                                   : choice.generic;
        }
    }
    refresh_abstract(type);
}

void
gcr_type_slots_refresh(PyObject *object)
{
    PyTypeObject *type = (PyTypeObject *)object;
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
        return;
    }
    gcr_type_refresh_one(type);
    PyObject *subclasses = *gcr_type_subclasses(type);
    Py_ssize_t position = 0;
    PyObject *entry;
    while (subclasses != NULL && PyDict_Next(subclasses, &position, NULL, &entry)) {
        PyTypeObject *subclass = gcr_subclass_of_entry(entry);
        if (subclass != NULL) {
            gcr_type_slots_refresh((PyObject *)subclass);
        }
    }
}

/* ---- caches ------------------------------------------------------------ */

void
gcr_type_modified(PyObject *type)
{
    /* A type with no version tag is in no cache, nor are its subclasses:
     * PyType_Modified returns at once, and no version is used up. Debug builds assert
     * that it is told of no static type (type_modified_unlocked). */
    if (((PyTypeObject *)type)->tp_flags & Py_TPFLAGS_HEAPTYPE) {
        PyType_Modified((PyTypeObject *)type);
    } else {
        gcr_type_forget_version((PyTypeObject *)type);
    }
}

void
gcr_function_modified(PyObject *function)
{
    gcr_function_clear_version((PyFunctionObject *)function);
}

void
gcr_invalidate_specialised(void)
{
    gcr_drop_executors();
}

void
gcr_forget_context_values(void)
{
    PyInterpreterState *interp = PyInterpreterState_Get();
    for (PyThreadState *ts = PyInterpreterState_ThreadHead(interp); ts != NULL;
         ts = PyThreadState_Next(ts)) {
        ts->context_ver++;
    }
}
