/* What may be an old, and what a slot may take: the refusals that keep C code
 * from misreading memory. */
#include "rehash.h"
#include "types_internal.h"

const char *
gcr_refusal_of_old(PyObject *old)
{
    if (gcr_is_immortal(old)) {
        return "it is immortal: the interpreter and C code compare to it by address";
    }
    if (PyUnicode_CheckExact(old) && PyUnicode_CHECK_INTERNED(old)) {
        return "it is an interned string, shared by all equal strings of the program";
    }
    if (PyType_Check(old)) {
        unsigned long flags = PyType_GetFlags((PyTypeObject *)old);
        if (!(flags & Py_TPFLAGS_HEAPTYPE)) {
            return "it is a static type, which C code refers to by address";
        }
        if (flags & Py_TPFLAGS_IMMUTABLETYPE) {
            return "it is an immutable type, which C code refers to by address";
        }
    }
    if (PyFrame_Check(old)) {
        return "it is a frame";
    }
    if (gcr_is_running(old)) {
        return "it is running";
    }
    return NULL;
}

static int
hashes_by_address(PyObject *object)
{
    return Py_TYPE(object)->tp_hash == PyBaseObject_Type.tp_hash;
}

void
gcr_look_at_old(gcr_pair pair, gcr_pair later, gcr_old *look)
{
    PyObject *old = pair.old;
    __builtin_prefetch(later.old);
    __builtin_prefetch(later.new_);
    look->count = (size_t)Py_REFCNT(old);
    look->weakrefs = gcr_weakref_count(old);
    look->refusal = gcr_refusal_of_old(old);
    look->is_class = PyType_Check(old);
    look->is_text = PyUnicode_Check(old) || PyBytes_Check(old);
    look->hashes_by_address = hashes_by_address(old) && hashes_by_address(pair.new_);
}

/* The nearest base whose layout C code may rely on: instances of classes made
 * by a class statement add only slots that Python code sees. */
static PyTypeObject *
layout_base(PyTypeObject *type)
{
    while (PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)
           && gcr_is_python_class(type) && type->tp_base != NULL) {
        type = type->tp_base;
    }
    /* Exceptions that add no fields are told apart by class only. */
    while (PyType_IsSubtype(type, (PyTypeObject *)PyExc_BaseException) && type->tp_base != NULL
           && type->tp_basicsize == type->tp_base->tp_basicsize) {
        type = type->tp_base;
    }
    return type;
}

static int
same_namespaces(PyObject *old, PyObject *new_)
{
    PyFunctionObject *a = (PyFunctionObject *)old, *b = (PyFunctionObject *)new_;
    return a->func_globals == b->func_globals && a->func_builtins == b->func_builtins;
}

/* C code reads the fields of an object where its type has them, and of the
 * instances that it makes of a class, where the class has. */
static int
same_layout(PyObject *old, PyObject *new_)
{
    if (!PyType_IsSubtype(Py_TYPE(new_), layout_base(Py_TYPE(old)))) {
        return 0;
    }
    return !PyType_Check(old)
           || (PyType_IsSubtype((PyTypeObject *)new_, layout_base((PyTypeObject *)old))
               && !gcr_ctypes_differ((PyTypeObject *)old, (PyTypeObject *)new_));
}

const char *
gcr_accept_refusal(gcr_accepts accepts, PyObject *old, PyObject *new_)
{
    switch (accepts) {
    case GCR_ANY:
        return NULL;
    case GCR_SAME_LAYOUT:
        return same_layout(old, new_)
                   ? NULL
                   : "C code may rely on the layout of what it holds there";
    case GCR_DICT:
        return PyDict_Check(new_) ? NULL : "only a dict may stand there";
    case GCR_EXACT_DICT:
        return PyDict_CheckExact(new_) ? NULL : "only a plain dict may stand there";
    case GCR_TUPLE:
        return PyTuple_Check(new_) ? NULL : "only a tuple may stand there";
    case GCR_STR:
        return PyUnicode_Check(new_) ? NULL : "only a str may stand there";
    case GCR_TYPE:
        return PyType_Check(new_) ? NULL : "only a class may stand there";
    case GCR_CODE:
        return PyCode_Check(new_) ? NULL : "only a code object may stand there";
    case GCR_CELL:
        return PyCell_Check(new_) ? NULL : "only a cell may stand there";
    case GCR_MODULE_OR_NONE:
        return PyModule_Check(new_) || new_ == Py_None ? NULL : "only a module may stand there";
    case GCR_CALLED:
        return PyFunction_Check(new_) && same_namespaces(old, new_)
                   ? NULL
                   : "a suspended frame borrows its globals from this very function";
    case GCR_NOTHING:
        break;
    }
    return "C code keeps private state about this very object";
}

int
gcr_is_particular(PyObject *holder)
{
    /* A class of ctypes has a metaclass of its own. */
    return PyTuple_Check(holder) || gcr_is_context_node(holder)
           || !Py_IS_TYPE(Py_TYPE(holder), &PyType_Type) || gcr_is_stream(holder);
}

const char *
gcr_item_refusal(PyObject *holder, PyObject *old, PyObject *new_)
{
    /* The tuple may be a function's closure, whose cells are read unchecked. */
    if (PyTuple_Check(holder) && PyCell_Check(old) && !PyCell_Check(new_)) {
        return "only a cell may stand in a closure";
    }
    /* It may be a zip's or a map's own, which call tp_iternext of what is in it unlooked. */
    if (PyTuple_CheckExact(holder) && PyIter_Check(old) && !PyIter_Check(new_)) {
        return "only an iterator may stand there, if C code iterates over the tuple's items";
    }
    if (gcr_stream_relies_on(holder, old) || gcr_ctypes_relies_on(holder, old)) {
        return "C code keeps private state about this very object";
    }
    if (PyContextVar_CheckExact(old) && gcr_is_context_node(holder)
        && !PyContextVar_CheckExact(new_)) {
        return "only a context variable can have a value in a context";
    }
    return NULL;
}

int
gcr_hash_depends(PyObject *object)
{
    hashfunc hash = Py_TYPE(object)->tp_hash;
    return hash != NULL && hash != PyObject_HashNotImplemented
           && !hashes_by_address(object);
}

int
gcr_is_unhashable(PyObject *object)
{
    return Py_TYPE(object)->tp_hash == PyObject_HashNotImplemented;
}

PyObject *
gcr_type_namespace(PyObject *type)
{
    return gcr_type_dict((PyTypeObject *)type);
}

int
gcr_is_part_of_class(PyObject *object, PyObject *class)
{
    PyTypeObject *type = Py_TYPE(object);
    int descriptor = type == &PyGetSetDescr_Type || type == &PyMemberDescr_Type
                     || type == &PyMethodDescr_Type || type == &PyClassMethodDescr_Type
                     || type == &PyWrapperDescr_Type;
    return descriptor && (PyObject *)PyDescr_TYPE(object) == class;
}

PyObject *
gcr_class_cell(PyObject *function, PyObject **class)
{
    PyFunctionObject *func = (PyFunctionObject *)function;
    if (!PyFunction_Check(function) || func->func_closure == NULL) {
        return NULL;
    }
    /* The names of free variables are the last, in the order of the closure. */
    PyCodeObject *code = (PyCodeObject *)func->func_code;
    PyObject *names = code->co_localsplusnames;
    Py_ssize_t count = PyTuple_GET_SIZE(func->func_closure);
    Py_ssize_t first = PyTuple_GET_SIZE(names) - count;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name = PyTuple_GET_ITEM(names, first + i);
        if (PyUnicode_CompareWithASCIIString(name, "__class__") == 0) {
            PyObject *cell = PyTuple_GET_ITEM(func->func_closure, i);
            *class = PyCell_GET(cell);
            return cell;
        }
    }
    return NULL;
}

int
gcr_key_follows_table(PyObject *holder)
{
    return PyODict_Check(holder) || gcr_is_lru_link(holder) || gcr_is_lru_cache(holder);
}

void
gcr_hush(PyObject *object)
{
    if (PyObject_IS_GC(object) && !_PyGC_FINALIZED(object)) {
        _PyGC_SET_FINALIZED(object);
    }
}
