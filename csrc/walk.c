/* The table of walkers, keyed by tp_traverse so that it serves subclasses too. */
#include "walk.h"

#include <string.h>

typedef struct entry {
    traverseproc traverse;
    gcr_walker walk;
} entry;

static entry table[16];
static size_t table_length;
destructor gcr_subtype_dealloc;

static void
add(traverseproc traverse, gcr_walker walk)
{
    assert(table_length < Py_ARRAY_LENGTH(table));
    table[table_length++] = (entry){traverse, walk};
}

static gcr_walker
walker_of(PyTypeObject *type)
{
    for (size_t i = 0; i < table_length; i++) {
        if (table[i].traverse == type->tp_traverse) {
            return table[i].walk;
        }
    }
    return NULL;
}

/* For a container type of C code that adds to a builtin one (OrderedDict): the
 * builtin part is known, and what is placed by hash in it must not be taken for a
 * plain slot. */
static gcr_walker
part_walker_of(PyTypeObject *type)
{
    if (type->tp_flags & Py_TPFLAGS_DICT_SUBCLASS) {
        return gcr_walk_dict;
    }
    if (type->tp_flags & Py_TPFLAGS_LIST_SUBCLASS) {
        return gcr_walk_list;
    }
    if (type->tp_flags & Py_TPFLAGS_TUPLE_SUBCLASS) {
        return gcr_walk_tuple;
    }
    return PyType_IsSubtype(type, &PySet_Type) || PyType_IsSubtype(type, &PyFrozenSet_Type)
               ? gcr_walk_set
               : NULL;
}

/* Holders that are no GC objects. */
static gcr_walker
unlisted_walker_of(PyTypeObject *type)
{
    if (type == &PyCode_Type) {
        return gcr_walk_code;
    }
    for (; type != NULL; type = type->tp_base) {
        if (strcmp(type->tp_name, "numpy.ndarray") == 0) {
            return gcr_walk_numpy;
        }
    }
    return NULL;
}

/* The slots that a spec does not name are the same as a class statement's, in
 * _random.Random all that count here; but PyType_FromSpec keeps a copy of the name. */
int
gcr_is_python_class(PyTypeObject *type)
{
    return (type->tp_flags & Py_TPFLAGS_HEAPTYPE) && !(type->tp_flags & Py_TPFLAGS_IMMUTABLETYPE)
           && type->tp_dealloc == gcr_subtype_dealloc
           && ((PyHeapTypeObject *)type)->_ht_tpname == NULL;
}

/* A generator's walker knows its frame, but not what coroutines and async
 * generators add to it. */
static int
adds_fields(PyTypeObject *type)
{
    return type == &PyCoro_Type || type == &PyAsyncGen_Type;
}

gcr_coverage
gcr_walker_coverage(PyObject *holder)
{
    PyTypeObject *type = Py_TYPE(holder);
    if (!PyObject_IS_GC(holder) && !PyType_Check(holder)) {
        return unlisted_walker_of(type) != NULL ? GCR_FULL : GCR_NONE;
    }
    if (adds_fields(type)) {
        return GCR_PARTIAL;
    }
    if (type->tp_traverse != gcr_subtype_traverse) {
        return walker_of(type) != NULL        ? GCR_FULL
               : part_walker_of(type) != NULL ? GCR_PARTIAL
                                              : GCR_NONE;
    }
    while (type->tp_traverse == gcr_subtype_traverse) {
        type = type->tp_base;
    }
    if (type->tp_traverse == NULL) {
        return gcr_type_is_leaf(type) || unlisted_walker_of(type) != NULL ? GCR_FULL : GCR_PARTIAL;
    }
    return walker_of(type) != NULL ? GCR_FULL : GCR_PARTIAL;
}

int
gcr_walk(PyObject *holder, gcr_slot_visitor visit, void *arg)
{
    gcr_walk_state walk = {visit, arg};
    PyTypeObject *type = Py_TYPE(holder);
    if (!PyObject_IS_GC(holder) && !PyType_Check(holder)) {
        gcr_walker unlisted = unlisted_walker_of(type);
        return unlisted == NULL ? 0 : unlisted(holder, &walk);
    }
    if (type->tp_traverse == gcr_subtype_traverse) {
        int result = gcr_walk_instance(holder, &walk, &type);
        if (result != 0) {
            return result;
        }
    }
    gcr_walker walker = type->tp_traverse == NULL ? unlisted_walker_of(type) : walker_of(type);
    if (walker == NULL && type->tp_traverse != NULL) {
        walker = part_walker_of(type);
    }
    return walker == NULL ? 0 : walker(holder, &walk);
}

int
gcr_is_running(PyObject *holder)
{
    PyTypeObject *type = Py_TYPE(holder);
    return (type == &PyGen_Type || type == &PyCoro_Type || type == &PyAsyncGen_Type)
           && ((PyGenObject *)holder)->gi_frame_state == FRAME_EXECUTING;
}

static int
count_slot(const gcr_slot *slot, void *arg)
{
    Py_ssize_t *count = arg;
    *count += *slot->address == Py_None;
    return 0;
}

/* Adds the deque's walker, if the layout it was written for shows every item of a
 * deque of several blocks. The probe serves when it does not. */
static void
add_deque(void)
{
    enum { ITEMS = 200 };
    PyObject *module = PyImport_ImportModule("collections");
    PyObject *items = Py_BuildValue("[O]", Py_None);
    PyObject *many = items == NULL ? NULL : PySequence_Repeat(items, ITEMS);
    PyObject *deque =
        module == NULL || many == NULL ? NULL : PyObject_CallMethod(module, "deque", "O", many);
    Py_ssize_t count = 0;
    gcr_walk_state walk = {count_slot, &count};
    if (deque != NULL && PyObject_Size(deque) == ITEMS && Py_SIZE(deque) == ITEMS
        && gcr_walk_deque(deque, &walk) == 0 && count == ITEMS) {
        add(Py_TYPE(deque)->tp_traverse, gcr_walk_deque);
    }
    Py_XDECREF(deque);
    Py_XDECREF(many);
    Py_XDECREF(items);
    Py_XDECREF(module);
    PyErr_Clear();
}

const char *
gcr_init(void)
{
    if (table_length > 0) {
        return NULL;
    }
    if ((Py_Version >> 16) != (GCR_BUILT_FOR >> 16)) {
        return "gcremap was built for another version of CPython than this one: install it again here";
    }
    const char *refusal = gcr_layout_refusal_of_runtime();
    if (refusal != NULL) {
        return refusal;
    }
    PyObject *sample = PyObject_CallFunction((PyObject *)&PyType_Type, "s(){}", "sample");
    if (sample == NULL) {
        PyErr_Clear();
        return "gcremap could not make a class to learn this interpreter's layout from";
    }
    gcr_subtype_traverse = ((PyTypeObject *)sample)->tp_traverse;
    gcr_subtype_dealloc = ((PyTypeObject *)sample)->tp_dealloc;
    Py_DECREF(sample);
    add(PyList_Type.tp_traverse, gcr_walk_list);
    add(PyTuple_Type.tp_traverse, gcr_walk_tuple);
    add(PyDict_Type.tp_traverse, gcr_walk_dict);
    add(PySet_Type.tp_traverse, gcr_walk_set);
    add(PyCell_Type.tp_traverse, gcr_walk_cell);
    add(PyFunction_Type.tp_traverse, gcr_walk_function);
    add(PyMethod_Type.tp_traverse, gcr_walk_method);
    add(PyGen_Type.tp_traverse, gcr_walk_generator);
    if (PyCoro_Type.tp_traverse != PyGen_Type.tp_traverse) {
        add(PyCoro_Type.tp_traverse, gcr_walk_generator);
    }
    add(PyAsyncGen_Type.tp_traverse, gcr_walk_generator);
    add(PyType_Type.tp_traverse, gcr_walk_type);
    add(_PyWeakref_RefType.tp_traverse, gcr_walk_weakref);
    refusal = gcr_layout_refusal_of_samples();
    if (refusal != NULL) {
        table_length = 0;
        return refusal;
    }
    add_deque();
    return gcr_types_init();
}
