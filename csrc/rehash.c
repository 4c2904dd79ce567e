/* Hash repair: what dicts and sets have in common. */
#include "rehash.h"

const char gcr_no_memory[] = "out of memory";

int
gcr_is_table(PyObject *object)
{
    return gcr_is_dict(object) || PyAnySet_Check(object);
}

gcr_rehash *
gcr_rehash_prepare(PyObject *table, const gcr_key_edit *edits, size_t count, const char **why)
{
    *why = NULL;
    if (count > (SIZE_MAX - sizeof(gcr_rehash)) / sizeof(gcr_key_edit)) {
        return NULL;
    }
    gcr_rehash *rehash = PyMem_RawCalloc(1, sizeof(gcr_rehash) + count * sizeof(gcr_key_edit));
    if (rehash == NULL) {
        return NULL;
    }
    rehash->table = table;
    rehash->count = count;
    memcpy(rehash->edits, edits, count * sizeof(gcr_key_edit));
    rehash->dropped = PyMem_RawCalloc(count, sizeof(gcr_dropped));
    const char *reason;
    if (rehash->dropped == NULL) {
        reason = gcr_no_memory;
    }
    else if (PyAnySet_Check(table)) {
        reason = gcr_set_prepare(rehash);
    }
    else {
        reason = gcr_dict_prepare(rehash);
    }
    if (reason != NULL) {
        *why = reason == gcr_no_memory ? NULL : reason;
        gcr_rehash_free(rehash);
        return NULL;
    }
    return rehash;
}

void
gcr_rehash_commit(gcr_rehash *rehash)
{
    assert(!rehash->committed);
    if (PyAnySet_Check(rehash->table)) {
        gcr_set_commit(rehash);
    }
    else {
        gcr_dict_commit(rehash);
    }
    gcr_forget_hash(rehash->table);
    rehash->committed = 1;
}

int
gcr_rehash_dropped(const gcr_rehash *rehash, size_t k, gcr_dropped *dropped)
{
    assert(rehash->committed);
    for (size_t i = 0; i < rehash->count; i++) {
        if (rehash->edits[i].kind == GCR_EDIT_DROP && k-- == 0) {
            *dropped = rehash->dropped[i];
            return 1;
        }
    }
    return 0;
}

void
gcr_rehash_free(gcr_rehash *rehash)
{
    if (rehash == NULL) {
        return;
    }
    if (rehash->keys != NULL) {
        gcr_dict_keys_free(rehash->keys);
    }
    gcr_odict_free(rehash);
    PyMem_Free(rehash->entries);
    PyMem_RawFree(rehash->dropped);
    PyMem_RawFree(rehash);
}

const char *
gcr_table_fault(PyObject *table)
{
    return PyAnySet_Check(table) ? gcr_set_fault((PySetObject *)table)
                                 : gcr_dict_fault((PyDictObject *)table);
}

int
gcr_takes_entry(PyObject *table, PyObject *key, PyObject *value)
{
    if (PyFrozenSet_Check(table) || (value != NULL && gcr_is_lru_link(value))) {
        return 0;
    }
    return !PyWeakref_Check(key) || ((PyWeakReference *)key)->wr_object != Py_None;
}

static int
set_item(PyObject *dict, PyObject *key, PyObject *value)
{
    return PyODict_Check(dict) ? PyODict_SetItem(dict, key, value)
                               : PyDict_SetItem(dict, key, value);
}

int
gcr_dict_split_entry(PyObject *dict, PyObject *winner, PyObject *value, PyObject *key)
{
    int found = PyDict_Contains(dict, key);
    if (found != 0) {
        return found < 0 ? -1 : 0;
    }
    PyObject *present = PyDict_GetItemWithError(dict, winner);
    if (present == NULL) {
        return PyErr_Occurred() ? -1 : 0;
    }
    Py_INCREF(present);
    int result = set_item(dict, winner, value);
    if (result == 0) {
        result = set_item(dict, key, present);
    }
    Py_DECREF(present);
    return result;
}
