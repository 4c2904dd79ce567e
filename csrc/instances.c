/* An instance changes its class: what `instance.__class__ = new` does.
 *
 * Attribute values stand in an array laid out by the *old* class's shared keys. Where the
 * new class cannot have those (shared_keys.c), the instance's dict takes the values over
 * before the class changes, as in CPython. */
#include "types_internal.h"

#include <string.h>

const char *
gcr_class_refusal(PyObject *old_class, PyObject *new_class)
{
    if (!PyType_Check(new_class)) {
        return "an instance's class can only be replaced by a class";
    }
    PyTypeObject *old_type = (PyTypeObject *)old_class;
    PyTypeObject *new_type = (PyTypeObject *)new_class;
    int modules = PyType_IsSubtype(old_type, &PyModule_Type) &&
                  PyType_IsSubtype(new_type, &PyModule_Type);
    if (!modules && ((old_type->tp_flags | new_type->tp_flags) & Py_TPFLAGS_IMMUTABLETYPE)) {
        return "the class of instances of a built-in or immutable type cannot be changed";
    }
    return gcr_layout_refusal(old_type, new_type);
}

/* ---- values: two shapes -------------------------------------------------- */

#if GCR_INLINE_VALUES

/* gh-115776 (3.13): values behind the object. A dict made of them only points at
 * them; to detach it they are copied into a block of its own, and the object's are
 * marked void. */

static size_t
values_block_size(size_t capacity)
{
    return (capacity + 1) * sizeof(PyObject *) + _Py_SIZE_ROUND_UP(capacity, sizeof(PyObject *));
}

static PyDictObject *
dict_on_inline_values(PyObject *instance)
{
    PyDictObject *dict = _PyObject_GetManagedDict(instance);
    return dict != NULL && dict->ma_values == _PyObject_InlineValues(instance) ? dict : NULL;
}

static int
prepare_values(PyObject *instance, gcr_class_move *move)
{
    if (!_PyObject_InlineValues(instance)->valid) {
        return 0;
    }
    if (_PyObject_GetDictPtr(instance) == NULL || _PyObject_GetManagedDict(instance) == NULL) {
        return -1;
    }
    if (dict_on_inline_values(instance) == NULL) {
        return 0;
    }
    size_t capacity = _PyObject_InlineValues(instance)->capacity;
    /* The dict frees it with PyMem_Free, like values it made itself. */
    move->values = PyMem_Malloc(values_block_size(capacity));
    return move->values == NULL ? -1 : 0;
}

static void
copy_values(PyDictValues *to, const PyDictValues *from)
{
    size_t capacity = from->capacity;
    memcpy(to->values, from->values, capacity * sizeof(PyObject *));
    /* Insertion order: `size` bytes used of `capacity`, after the last value. */
    memcpy(&to->values[capacity], &from->values[capacity], capacity);
    to->size = from->size;
}

static void
detach_values(PyObject *instance, gcr_class_move *move)
{
    PyDictObject *dict = move->values == NULL ? NULL : dict_on_inline_values(instance);
    if (dict == NULL) {
        return;
    }
    PyDictValues *inline_values = _PyObject_InlineValues(instance);
    PyDictValues *own = move->values;
    own->capacity = inline_values->capacity;
    own->embedded = 0;
    own->valid = 1;
    copy_values(own, inline_values);
    dict->ma_values = own;
    inline_values->valid = 0;
    move->detached = 1;
}

#else

/* 3.11, 3.12: values in a block of their own, named in front of the object;
 * making the dict hands the block over to it, and that is all. */

static int
prepare_values(PyObject *instance, gcr_class_move *move)
{
    (void)move;
    return _PyObject_GetDictPtr(instance) == NULL || gcr_instance_values(instance) != NULL ? -1 : 0;
}

static void
detach_values(PyObject *instance, gcr_class_move *move)
{
    (void)instance;
    (void)move;
}

#endif

/* ---- one instance -------------------------------------------------------- */

const char *
gcr_set_class_prepare(PyObject *instance, gcr_class_move *move)
{
    *move = (gcr_class_move){NULL, 0};
    if ((Py_TYPE(instance)->tp_flags & GCR_TPFLAGS_VALUES) &&
        prepare_values(instance, move) < 0) {
        PyErr_Clear();
        return "no memory for the __dict__ of an instance";
    }
    return NULL;
}

static void
set_type(PyObject *instance, PyObject *type)
{
    Py_SET_TYPE(instance, (PyTypeObject *)type);
    /* Attributes of a class are cached by its own version, its metaclass's with them. */
    if (PyType_Check(instance)) {
        gcr_type_modified(instance);
    }
}

void
gcr_set_class_commit(PyObject *instance, PyObject *new_class, gcr_class_move *move)
{
    if (move != NULL) {
        detach_values(instance, move);
    }
    set_type(instance, new_class);
}

void
gcr_set_class_release(gcr_class_move *move)
{
    if (!move->detached) {
        PyMem_Free(move->values);
    }
    move->values = NULL;
}
