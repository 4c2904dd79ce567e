/* ctypes: memory that is no object's.
 *
 * How much of it an instance has, and what C code takes the bytes in it for, is in the
 * class's own state: tp_basicsize, and the rules of assignment to __class__, know nothing
 * of it. Addresses of objects stand in it uncounted; the instance keeps each alive beside
 * it, in its _objects: that reference cannot be rewritten alone. */
#include "types_internal.h"

/* Two classes on their way of being compared, and those that led to them: a struct may have
 * pointers to its like. */
typedef struct comparison {
    PyTypeObject *a;
    PyTypeObject *b;
    const struct comparison *outer;
} comparison;

typedef struct ctypes_names {
    PyObject *type, *length, *fields, *argtypes, *restype, *flags, *pack, *align, *layout,
        *swapped;
} ctypes_names;

static int
learn_names(ctypes_names *names)
{
    const struct {
        PyObject **name;
        const char *text;
    } all[] = {
        {&names->type, "_type_"},         {&names->length, "_length_"},
        {&names->fields, "_fields_"},     {&names->argtypes, "_argtypes_"},
        {&names->restype, "_restype_"},   {&names->flags, "_flags_"},
        {&names->pack, "_pack_"},         {&names->align, "_align_"},
        {&names->layout, "_layout_"},     {&names->swapped, "_swappedbytes_"},
    };
    for (size_t i = 0; i < Py_ARRAY_LENGTH(all); i++) {
        if (*all[i].name == NULL
            && (*all[i].name = PyUnicode_InternFromString(all[i].text)) == NULL) {
            return -1;
        }
    }
    return 0;
}

static ctypes_names names;

/* What _ctypes has by that name, borrowed: the module keeps it. */
static PyObject *
ctypes_attribute(const char *name)
{
    PyObject *modules = PyImport_GetModuleDict();
    PyObject *module = modules == NULL ? NULL : PyDict_GetItemString(modules, "_ctypes");
    return module == NULL || !PyModule_Check(module)
               ? NULL
               : PyDict_GetItemString(PyModule_GetDict(module), name);
}

/* The base of all classes of ctypes; NULL while nobody has imported it. */
static PyTypeObject *
data_class(void)
{
    PyObject *structure = ctypes_attribute("Structure");
    return structure == NULL || !PyType_Check(structure) ? NULL
                                                         : ((PyTypeObject *)structure)->tp_base;
}

/* The C function runs no Python code. -1 for a class that has no size yet. */
static Py_ssize_t
size_of(PyTypeObject *type)
{
    PyObject *sizeof_ = ctypes_attribute("sizeof");
    if (sizeof_ == NULL || !PyCFunction_Check(sizeof_)) {
        return -1;
    }
    PyObject *size = PyObject_CallOneArg(sizeof_, (PyObject *)type);
    Py_ssize_t bytes = size == NULL ? -1 : PyLong_AsSsize_t(size);
    Py_XDECREF(size);
    PyErr_Clear();
    return bytes;
}

static int is_alike(PyObject *a, PyObject *b, const comparison *outer);

static int
equally_long(PyObject *a, PyObject *b)
{
    return (PyTuple_Check(a) || PyList_Check(a)) && (PyTuple_Check(b) || PyList_Check(b))
           && PySequence_Fast_GET_SIZE(a) == PySequence_Fast_GET_SIZE(b);
}

static int
items_alike(PyObject *a, PyObject *b, Py_ssize_t from, const comparison *outer)
{
    if (!equally_long(a, b)) {
        return 0;
    }
    for (Py_ssize_t i = from; i < PySequence_Fast_GET_SIZE(a); i++) {
        if (!is_alike(PySequence_Fast_GET_ITEM(a, i), PySequence_Fast_GET_ITEM(b, i), outer)) {
            return 0;
        }
    }
    return 1;
}

static int
attribute_alike(PyObject *name, const comparison *pair)
{
    PyObject *a = gcr_type_find(pair->a, name), *b = gcr_type_find(pair->b, name);
    return a == b || (a != NULL && b != NULL && is_alike(a, b, pair));
}

/* The next class from `*i` on along the MRO that has fields of its own: what it says of
 * them, borrowed. */
static PyObject *
next_fields(PyTypeObject *type, Py_ssize_t *i)
{
    while (*i < PyTuple_GET_SIZE(type->tp_mro)) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(type->tp_mro, (*i)++);
        PyObject *namespace = gcr_type_dict(base);
        PyObject *fields = _PyDict_GetItem_KnownHash(namespace, names.fields,
                                                     ((PyASCIIObject *)names.fields)->hash);
        if (fields != NULL) {
            return fields;
        }
    }
    return NULL;
}

/* (name, class) or (name, class, bits). Names may differ: what counts is what stands
 * where. */
static int
lists_of_fields_alike(PyObject *a, PyObject *b, const comparison *pair)
{
    if (!equally_long(a, b)) {
        return 0;
    }
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(a); i++) {
        if (!items_alike(PySequence_Fast_GET_ITEM(a, i), PySequence_Fast_GET_ITEM(b, i), 1, pair)) {
            return 0;
        }
    }
    return 1;
}

static int
fields_alike(const comparison *pair)
{
    Py_ssize_t at_a = 0, at_b = 0;
    for (;;) {
        PyObject *a = next_fields(pair->a, &at_a), *b = next_fields(pair->b, &at_b);
        if (a == NULL || b == NULL) {
            return a == b;
        }
        if (a != b && !lists_of_fields_alike(a, b, pair)) {
            return 0;
        }
    }
}

static int
classes_alike(const comparison *pair)
{
    static const char *const kinds[] = {
        "Structure", "Union", "Array", "_Pointer", "_SimpleCData", "CFuncPtr",
    };
    for (size_t i = 0; i < Py_ARRAY_LENGTH(kinds); i++) {
        PyTypeObject *kind = (PyTypeObject *)ctypes_attribute(kinds[i]);
        if (kind == NULL || !PyType_Check((PyObject *)kind)
            || PyType_IsSubtype(pair->a, kind) != PyType_IsSubtype(pair->b, kind)) {
            return 0;
        }
    }
    PyObject *const said[] = {
        names.type, names.length, names.argtypes, names.restype, names.flags,
        names.pack, names.align,  names.layout,   names.swapped,
    };
    for (size_t i = 0; i < Py_ARRAY_LENGTH(said); i++) {
        if (!attribute_alike(said[i], pair)) {
            return 0;
        }
    }
    return fields_alike(pair) && size_of(pair->a) == size_of(pair->b);
}

/* Of what the attributes of such classes hold: other classes, numbers, names, and
 * sequences of these. */
static int
is_alike(PyObject *a, PyObject *b, const comparison *outer)
{
    if (a == b) {
        return 1;
    }
    if (PyType_Check(a) && PyType_Check(b)) {
        comparison pair = {(PyTypeObject *)a, (PyTypeObject *)b, outer};
        for (const comparison *other = outer; other != NULL; other = other->outer) {
            if (other->a == pair.a && other->b == pair.b) {
                return 1;
            }
        }
        return classes_alike(&pair);
    }
    if ((PyLong_CheckExact(a) && PyLong_CheckExact(b))
        || (PyUnicode_CheckExact(a) && PyUnicode_CheckExact(b))) {
        return PyObject_RichCompareBool(a, b, Py_EQ) == 1;
    }
    return items_alike(a, b, 0, outer);
}

int
gcr_ctypes_differ(PyTypeObject *old_type, PyTypeObject *new_type)
{
    PyTypeObject *data = data_class();
    if (data == NULL
        || (!PyType_IsSubtype(old_type, data) && !PyType_IsSubtype(new_type, data))) {
        return 0;
    }
    return learn_names(&names) < 0
           || !is_alike((PyObject *)old_type, (PyObject *)new_type, NULL);
}

/* ---- what instances keep alive ------------------------------------------------- */

static int
is_ctypes_data(PyObject *object)
{
    /* Their classes have metaclasses of their own: nearly all others are seen by that. */
    if (Py_IS_TYPE(Py_TYPE(object), &PyType_Type)) {
        return 0;
    }
    PyTypeObject *data = data_class();
    return data != NULL && PyType_IsSubtype(Py_TYPE(object), data);
}

/* The field that _ctypes shows by that name, by where it says that it is. */
static PyObject *
data_field(PyObject *object, const char *name)
{
    PyObject *member = PyDict_GetItemString(gcr_type_dict(data_class()), name);
    if (member == NULL || !Py_IS_TYPE(member, &PyMemberDescr_Type)) {
        return NULL;
    }
    return *(PyObject **)((char *)object + ((PyMemberDescrObject *)member)->d_member->offset);
}

PyObject *
gcr_ctypes_kept(PyObject *object)
{
    return is_ctypes_data(object) ? data_field(object, "_objects") : NULL;
}

int
gcr_ctypes_relies_on(PyObject *object, PyObject *old)
{
    return is_ctypes_data(object)
           && (data_field(object, "_objects") == old || data_field(object, "_b_base_") == old);
}

int
gcr_is_ctypes_key(PyObject *key)
{
    /* Indices in hexadecimal, outermost last, joined by colons (unique_key in _ctypes.c). */
    if (key == NULL || !PyUnicode_CheckExact(key) || !PyUnicode_IS_ASCII(key)) {
        return 0;
    }
    const Py_UCS1 *text = PyUnicode_1BYTE_DATA(key);
    Py_ssize_t length = PyUnicode_GET_LENGTH(key);
    for (Py_ssize_t i = 0; i < length; i++) {
        if (!Py_ISXDIGIT(text[i]) && text[i] != ':') {
            return 0;
        }
    }
    return length > 0;
}
