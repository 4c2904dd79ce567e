/* What differs between CPython versions in dicts, cached hashes and weak references:
 * one accessor per differing field. */
#ifndef GCR_COMPAT_TABLES_H
#define GCR_COMPAT_TABLES_H

#include "compat.h"

/* 3.15 has frozendict, a dict in layout but not a subclass (gh-141510). */
static inline int
gcr_is_dict(PyObject *object)
{
#if GCR_PY315
    return PyAnyDict_Check(object);
#else
    return PyDict_Check(object);
#endif
}

/* 3.13 moved key tables from the object allocator to the memory one
 * (Objects/dictobject.c, new_keys_object; gh-112532). A table handed to a dict
 * is freed by CPython, so it must come from the same one. */
static inline void *
gcr_dict_keys_malloc(size_t size)
{
#if GCR_PY313
    return PyMem_Malloc(size);
#else
    return PyObject_Malloc(size);
#endif
}

static inline void
gcr_dict_keys_free(PyDictKeysObject *keys)
{
#if GCR_PY313
    PyMem_Free(keys);
#else
    PyObject_Free(keys);
#endif
}

/* Which of a split table's shared keys is the i-th in insertion order. 3.13
 * moved the order from in front of the values to behind them (gh-115776). */
static inline Py_ssize_t
gcr_split_index(PyDictObject *dict, Py_ssize_t i)
{
#if GCR_PY313
    return get_insertion_order_array(dict->ma_values)[i];
#else
    return ((uint8_t *)dict->ma_values)[-3 - i];
#endif
}

/* What dictresize() does with the values of a table that is no longer split.
 * 3.13 embeds them in the instance, where they are only marked as left
 * (gh-115776); before, the dict had taken the block over. */
static inline void
gcr_split_values_leave(PyDictValues *values)
{
#if GCR_PY313
    if (values->embedded) {
        values->valid = 0;
        return;
    }
    PyMem_Free(values);
#else
    PyMem_Free((char *)values - ((uint8_t *)values)[-1]);
#endif
}

/* Gives the dict the version of `fresh`, a dict just modified. PEP 509's tag,
 * which Cython's caches of module globals rely on, left with 3.14 (gh-124296).
 * 3.11's counter is not exported, hence the detour over another dict. The low
 * bits belong to watchers since 3.12, and more of them to tier 2 since 3.13. */
static inline void
gcr_dict_take_version(PyDictObject *dict, PyDictObject *fresh)
{
#if GCR_PY314
    (void)dict;
    (void)fresh;
#elif GCR_PY312
    uint64_t low = (uint64_t)DICT_VERSION_INCREMENT - 1;
    dict->ma_version_tag = (fresh->ma_version_tag & ~low) | (dict->ma_version_tag & low);
#else
    dict->ma_version_tag = fresh->ma_version_tag;
#endif
}

/* Whether a tuple stores its hash: it may since 3.14 (gh-131525). */
static inline int
gcr_tuple_stores_hash(PyObject *tuple)
{
#if GCR_PY314
    return ((PyTupleObject *)tuple)->ob_hash != -1;
#else
    (void)tuple;
    return 0;
#endif
}

/* Hashes stored in objects whose type did not always do so: a tuple's since
 * 3.14 (gh-131525), a frozendict's since 3.15. */
static inline Py_hash_t *
gcr_cached_hash(PyObject *object)
{
#if GCR_PY315
    if (PyFrozenDict_Check(object)) {
        return &((PyFrozenDictObject *)object)->ma_hash;
    }
#endif
#if GCR_PY314
    if (PyTuple_Check(object)) {
        return &((PyTupleObject *)object)->ob_hash;
    }
#endif
    (void)object;
    return NULL;
}

/* Whether instances may be tables, or store a hash of their own that depends on others. */
static inline int
gcr_instances_store_hashes(PyTypeObject *type)
{
#if GCR_PY315
    if (PyType_IsSubtype(type, &PyFrozenDict_Type)) {
        return 1;
    }
#endif
#if GCR_PY314
    if (type->tp_flags & Py_TPFLAGS_TUPLE_SUBCLASS) {
        return 1;
    }
#endif
    return (type->tp_flags & Py_TPFLAGS_DICT_SUBCLASS) || PyType_IsSubtype(type, &PySet_Type)
           || PyType_IsSubtype(type, &PyFrozenSet_Type)
           || PyType_IsSubtype(type, &_PyWeakref_RefType);
}

/* Since 3.12 the weak references of static builtin types are in the
 * interpreter's state, which is not exported (gh-103083). */
static inline int
gcr_weakrefs_elsewhere(PyObject *object)
{
#if GCR_PY312
    return PyType_Check(object)
           && (((PyTypeObject *)object)->tp_flags & _Py_TPFLAGS_STATIC_BUILTIN) != 0;
#else
    (void)object;
    return 0;
#endif
}

/* Whether the entry of a key is a thread's part of a `threading.local`: up to 3.12 an object of the
 * thread borrows the value (Modules/_threadmodule.c, localdummyobject). */
static inline int
gcr_thread_borrows_value(PyObject *key)
{
#if !GCR_PY313
    return PyWeakref_CheckRefExact(key)
           && strcmp(Py_TYPE(((PyWeakReference *)key)->wr_object)->tp_name,
                     "_thread._localdummy") == 0;
#else
    (void)key;
    return 0;
#endif
}

#endif
