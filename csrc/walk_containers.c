/* Walkers of list, tuple, dict and set: what Objects/{list,tuple,dict,set}object.c
 * traverse, and the keys that they do not show. */
#include "compat_tables.h"
#include "walk.h"

int
gcr_walk_list(PyObject *holder, gcr_walk_state *walk)
{
    PyListObject *list = (PyListObject *)holder;
    for (Py_ssize_t i = 0; i < Py_SIZE(list); i++) {
        GCR_SKIP_UNLESS_ASKED(list->ob_item[i]);
        GCR_SHOW(.address = &list->ob_item[i], .name = "[]", .index = i);
    }
    return 0;
}

int
gcr_walk_tuple(PyObject *holder, gcr_walk_state *walk)
{
    PyTupleObject *tuple = (PyTupleObject *)holder;
    for (Py_ssize_t i = 0; i < Py_SIZE(tuple); i++) {
        GCR_SKIP_UNLESS_ASKED(tuple->ob_item[i]);
        GCR_SHOW(.address = &tuple->ob_item[i], .name = "[]", .index = i);
    }
    return 0;
}

/* dict_traverse shows the keys of a general table only: elsewhere they are
 * strings, which cannot be part of a cycle. */
int
gcr_walk_dict(PyObject *holder, gcr_walk_state *walk)
{
    PyDictObject *dict = (PyDictObject *)holder;
    PyDictKeysObject *keys = dict->ma_keys;
    int unicode = DK_IS_UNICODE(keys);
    uint32_t value_flags = gcr_values_are_embedded(dict->ma_values) ? GCR_HIDDEN | GCR_PERHAPS_SHOWN
                                                                    : 0;
    for (Py_ssize_t i = 0; i < keys->dk_nentries; i++) {
        PyObject **key;
        PyObject **value;
        if (unicode) {
            PyDictUnicodeEntry *entry = &DK_UNICODE_ENTRIES(keys)[i];
            key = &entry->me_key;
            value = dict->ma_values != NULL ? &dict->ma_values->values[i] : &entry->me_value;
        }
        else {
            PyDictKeyEntry *entry = &DK_ENTRIES(keys)[i];
            key = &entry->me_key;
            value = &entry->me_value;
        }
        if (*value == NULL || !(gcr_is_asked_for(walk, *value) || gcr_is_asked_for(walk, *key))) {
            continue;
        }
        GCR_SHOW(.address = value, .role = GCR_DICT_VALUE, .name = "[key]", .index = i, .key = *key,
                 .flags = value_flags,
                 .accepts = gcr_thread_borrows_value(*key) ? GCR_NOTHING : GCR_ANY);
        if (dict->ma_values == NULL) {
            GCR_SHOW(.address = key, .role = GCR_DICT_KEY, .name = "<key>", .index = i, .key = *key,
                     .flags = unicode ? GCR_HIDDEN : 0);
        }
    }
    return 0;
}

int
gcr_walk_set(PyObject *holder, gcr_walk_state *walk)
{
    PySetObject *set = (PySetObject *)holder;
    for (Py_ssize_t i = 0; i <= set->mask; i++) {
        GCR_SKIP_UNLESS_ASKED(set->table[i].key);
        /* The dummy of a deleted entry is the only one with this hash. */
        if (set->table[i].hash != -1) {
            GCR_SHOW(.address = &set->table[i].key, .role = GCR_SET_ENTRY, .name = "<member>",
                     .index = i);
        }
    }
    return 0;
}
