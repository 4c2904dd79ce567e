/* How an object is walked: what its class added, then what C code defined. */
#include "known.h"

#include <string.h>

destructor gcr_subtype_dealloc;

static int
is_numpy_array(PyTypeObject *type)
{
    for (; type != NULL; type = type->tp_base) {
        if (strcmp(type->tp_name, "numpy.ndarray") == 0) {
            return 1;
        }
    }
    return 0;
}

/* What knows objects that are not the collector's, or the part of an instance that a
 * base without a traversal defined. */
static const gcr_walker_entry *
untraversed_entry(PyTypeObject *type)
{
    static const gcr_walker_entry numpy = {.walk = gcr_walk_numpy};
    for (PyTypeObject *at = type; at != NULL && at->tp_traverse == NULL; at = at->tp_base) {
        const gcr_walker_entry *known = gcr_walker_find(at);
        if (known != NULL) {
            return known;
        }
    }
    return is_numpy_array(type) ? &numpy : NULL;
}

/* For a container type of C code that adds to a builtin one: the builtin part is
 * known, and what is placed by hash in it must not be taken for a plain slot. */
static const gcr_walker_entry *
part_entry(PyTypeObject *type)
{
    static const gcr_walker_entry dict = {.walk = gcr_walk_dict}, list = {.walk = gcr_walk_list},
                                  tuple = {.walk = gcr_walk_tuple}, set = {.walk = gcr_walk_set};
    if (type->tp_flags & Py_TPFLAGS_DICT_SUBCLASS) {
        return &dict;
    }
    if (type->tp_flags & Py_TPFLAGS_LIST_SUBCLASS) {
        return &list;
    }
    if (type->tp_flags & Py_TPFLAGS_TUPLE_SUBCLASS) {
        return &tuple;
    }
    return PyType_IsSubtype(type, &PySet_Type) || PyType_IsSubtype(type, &PyFrozenSet_Type) ? &set
                                                                                            : NULL;
}

/* What knows the part of an object that C code defined in `type`, or NULL. */
static const gcr_walker_entry *
entry_of(PyTypeObject *type, gcr_coverage *coverage)
{
    const gcr_walker_entry *entry =
        type->tp_traverse == NULL ? untraversed_entry(type) : gcr_walker_find(type);
    *coverage = entry != NULL ? GCR_FULL : GCR_NONE;
    if (entry == NULL && type->tp_traverse != NULL && (entry = part_entry(type)) != NULL) {
        *coverage = GCR_PARTIAL;
    }
    return entry;
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

gcr_coverage
gcr_walker_coverage(PyObject *holder)
{
    PyTypeObject *type = Py_TYPE(holder);
    if (!PyObject_IS_GC(holder) && !PyType_Check(holder)) {
        return untraversed_entry(type) != NULL ? GCR_FULL : GCR_NONE;
    }
    if (PyModule_Check(holder) && gcr_module_shows_state(holder)) {
        return GCR_PARTIAL;
    }
    gcr_coverage coverage;
    if (type->tp_traverse != gcr_subtype_traverse) {
        entry_of(type, &coverage);
        return coverage;
    }
    type = gcr_c_base(type);
    if (type->tp_traverse == NULL && gcr_type_is_leaf(type)) {
        return GCR_FULL;
    }
    entry_of(type, &coverage);
    return coverage == GCR_FULL ? GCR_FULL : GCR_PARTIAL;
}

int
gcr_walk_is_sure(PyObject *holder)
{
    return gcr_shows_all(holder) || gcr_is_plain_class(Py_TYPE(holder));
}

int
gcr_walk(PyObject *holder, const gcr_sieve *sieve, gcr_slot_visitor visit, void *arg)
{
    gcr_walk_state walk = {visit, arg, sieve};
    PyTypeObject *type = Py_TYPE(holder);
    if (!PyObject_IS_GC(holder) && !PyType_Check(holder)) {
        const gcr_walker_entry *entry = untraversed_entry(type);
        return entry == NULL ? 0 : gcr_walker_run(entry, holder, &walk);
    }
    if (type->tp_traverse == gcr_subtype_traverse) {
        int result = gcr_walk_instance(holder, &walk, &type);
        if (result != 0) {
            return result;
        }
    }
    gcr_coverage coverage;
    const gcr_walker_entry *entry = entry_of(type, &coverage);
    return entry == NULL ? 0 : gcr_walker_run(entry, holder, &walk);
}

int
gcr_is_running(PyObject *holder)
{
    PyTypeObject *type = Py_TYPE(holder);
    return (type == &PyGen_Type || type == &PyCoro_Type || type == &PyAsyncGen_Type)
           && ((PyGenObject *)holder)->gi_frame_state == FRAME_EXECUTING;
}

int
gcr_reads_names_from(PyObject *object, PyObject *dict)
{
    PyTypeObject *type = Py_TYPE(object);
    if (type != &PyGen_Type && type != &PyCoro_Type && type != &PyAsyncGen_Type) {
        return 0;
    }
    PyGenObject *gen = (PyGenObject *)object;
    gcr_frame *frame = (gcr_frame *)&gen->gi_iframe;
    return gen->gi_frame_state < FRAME_EXECUTING
           && (frame->f_globals == dict || frame->f_builtins == dict);
}

const char *
gcr_init(void)
{
    static int ready;
    if (ready) {
        return NULL;
    }
    if ((Py_Version >> 16) != (GCR_BUILT_FOR >> 16)) {
        return "gcremap was built for another version of CPython than this one: install it again here";
    }
    const char *refusal = gcr_layout_refusal_of_runtime();
    if (refusal == NULL) {
        refusal = gcr_watchers_init();
    }
    if (refusal == NULL) {
        refusal = gcr_text_io_init();
    }
    if (refusal != NULL) {
        return refusal;
    }
    gcr_lists_init();
    PyObject *sample = PyObject_CallFunction((PyObject *)&PyType_Type, "s(){}", "sample");
    if (sample == NULL) {
        PyErr_Clear();
        return "gcremap could not make a class to learn this interpreter's layout from";
    }
    gcr_subtype_traverse = ((PyTypeObject *)sample)->tp_traverse;
    gcr_subtype_dealloc = ((PyTypeObject *)sample)->tp_dealloc;
    Py_DECREF(sample);
    const struct {
        traverseproc traverse;
        gcr_walker walk;
    } core[] = {
        {PyList_Type.tp_traverse, gcr_walk_list},
        {PyTuple_Type.tp_traverse, gcr_walk_tuple},
        {PyDict_Type.tp_traverse, gcr_walk_dict},
        {PySet_Type.tp_traverse, gcr_walk_set},
        {PyCell_Type.tp_traverse, gcr_walk_cell},
        {PyFunction_Type.tp_traverse, gcr_walk_function},
        {PyMethod_Type.tp_traverse, gcr_walk_method},
        {PyCFunction_Type.tp_traverse, gcr_walk_builtin},
        {PyGen_Type.tp_traverse, gcr_walk_generator},
        {PyCoro_Type.tp_traverse, gcr_walk_generator},
        {PyAsyncGen_Type.tp_traverse, gcr_walk_generator},
        {PyType_Type.tp_traverse, gcr_walk_type},
        {PyModule_Type.tp_traverse, gcr_walk_module},
        {_PyWeakref_RefType.tp_traverse, gcr_walk_weakref},
        {PyMethodDescr_Type.tp_traverse, gcr_walk_descriptor},
        {PyClassMethodDescr_Type.tp_traverse, gcr_walk_descriptor},
        {PyMemberDescr_Type.tp_traverse, gcr_walk_descriptor},
        {PyGetSetDescr_Type.tp_traverse, gcr_walk_descriptor},
        {PyWrapperDescr_Type.tp_traverse, gcr_walk_descriptor},
    };
    for (size_t i = 0; i < Py_ARRAY_LENGTH(core); i++) {
        gcr_walker_add((const void *)core[i].traverse, core[i].walk);
    }
    gcr_walker_add(&PyCode_Type, gcr_walk_code);
    refusal = gcr_layout_refusal_of_samples();
    if (refusal == NULL) {
        refusal = gcr_types_init();
    }
    if (refusal != NULL) {
        gcr_walker_forget_all();
        return refusal;
    }
    ready = 1;
    return NULL;
}
