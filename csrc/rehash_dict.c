/* Hash repair of dicts: the hashes stored in the entries and the index over
 * them. Entries stay where they are, since iterators count positions. The
 * index is always built anew, so it needs no dummies for deleted entries. */
#include "rehash.h"

/* Where the parts of an entry are. */
typedef struct entry_parts {
    PyObject **key;
    PyObject **value;
    Py_hash_t *hash; /* NULL in a str-only table: the str knows it */
} entry_parts;

/* How many entries a table of this size may have (Objects/dictobject.c,
 * USABLE_FRACTION). */
static Py_ssize_t
usable_entries(const PyDictKeysObject *keys)
{
    return (Py_ssize_t)((DK_SIZE(keys) << 1) / 3);
}

static Py_ssize_t
dict_length(PyDictObject *dict)
{
    return dict->ma_values != NULL ? dict->ma_used : dict->ma_keys->dk_nentries;
}

static entry_parts
keys_entry(PyDictKeysObject *keys, Py_ssize_t i)
{
    if (keys->dk_kind == DICT_KEYS_GENERAL) {
        PyDictKeyEntry *entry = &DK_ENTRIES(keys)[i];
        return (entry_parts){&entry->me_key, &entry->me_value, &entry->me_hash};
    }
    PyDictUnicodeEntry *entry = &DK_UNICODE_ENTRIES(keys)[i];
    return (entry_parts){&entry->me_key, &entry->me_value, NULL};
}

static entry_parts
dict_entry(PyDictObject *dict, Py_ssize_t i)
{
    if (dict->ma_values == NULL) {
        return keys_entry(dict->ma_keys, i);
    }
    Py_ssize_t shared = gcr_split_index(dict, i);
    entry_parts parts = keys_entry(dict->ma_keys, shared);
    parts.value = &dict->ma_values->values[shared];
    return parts;
}

static Py_hash_t
entry_hash(entry_parts parts)
{
    return parts.hash != NULL ? *parts.hash : ((PyASCIIObject *)*parts.key)->hash;
}

/* ---- the index ---------------------------------------------------------- */

static int64_t
get_index(const PyDictKeysObject *keys, size_t i)
{
    if (DK_LOG_SIZE(keys) < 8) {
        return ((const int8_t *)keys->dk_indices)[i];
    }
    if (DK_LOG_SIZE(keys) < 16) {
        return ((const int16_t *)keys->dk_indices)[i];
    }
    if (DK_LOG_SIZE(keys) < 32) {
        return ((const int32_t *)keys->dk_indices)[i];
    }
    return ((const int64_t *)keys->dk_indices)[i];
}

static void
set_index(PyDictKeysObject *keys, size_t i, Py_ssize_t entry)
{
    if (DK_LOG_SIZE(keys) < 8) {
        ((int8_t *)keys->dk_indices)[i] = (int8_t)entry;
    }
    else if (DK_LOG_SIZE(keys) < 16) {
        ((int16_t *)keys->dk_indices)[i] = (int16_t)entry;
    }
    else if (DK_LOG_SIZE(keys) < 32) {
        ((int32_t *)keys->dk_indices)[i] = (int32_t)entry;
    }
    else {
        ((int64_t *)keys->dk_indices)[i] = (int64_t)entry;
    }
}

/* Where in the index a lookup that compares by identity alone ends: at the entry with
 * this key, or (always, for NULL) at an end. The order is that of build_indices_generic()
 * (Objects/dictobject.c). */
static size_t
find_index(PyDictKeysObject *keys, PyObject *key, Py_hash_t hash)
{
    enum { PERTURB_SHIFT = 5 };
    const size_t mask = (size_t)DK_SIZE(keys) - 1;
    size_t i = (size_t)hash & mask;
    for (size_t perturb = (size_t)hash;;) {
        int64_t ix = get_index(keys, i);
        if (ix == DKIX_EMPTY || ix >= keys->dk_nentries
            || (key != NULL && ix >= 0 && *keys_entry(keys, ix).key == key)) {
            return i;
        }
        perturb >>= PERTURB_SHIFT;
        i = (i * 5 + perturb + 1) & mask;
    }
}

static void
build_index(PyDictKeysObject *keys)
{
    memset(keys->dk_indices, 0xff, (size_t)1 << keys->dk_log2_index_bytes);
    for (Py_ssize_t ix = 0; ix < keys->dk_nentries; ix++) {
        entry_parts parts = keys_entry(keys, ix);
        if (*parts.key != NULL) {
            set_index(keys, find_index(keys, NULL, entry_hash(parts)), ix);
        }
    }
}

const char *
gcr_dict_fault(PyDictObject *dict)
{
    PyDictKeysObject *keys = dict->ma_keys;
    Py_ssize_t used = 0;
    for (Py_ssize_t ix = 0; ix < keys->dk_nentries; ix++) {
        entry_parts parts = keys_entry(keys, ix);
        PyObject *key = *parts.key;
        if (key == NULL) {
            continue;
        }
        used++;
        if (keys->dk_kind != DICT_KEYS_GENERAL && !PyUnicode_CheckExact(key)) {
            return "a table for str has another key";
        }
        if (parts.hash != NULL && PyUnicode_CheckExact(key)
            && *parts.hash != ((PyASCIIObject *)key)->hash) {
            return "a str stands under a hash that is not its own";
        }
        if (get_index(keys, find_index(keys, key, entry_hash(parts))) != ix) {
            return "an entry is not found by the hash that it stands under";
        }
        if (dict->ma_values == NULL && *parts.value == NULL) {
            return "a key has no value";
        }
    }
    if (dict->ma_values == NULL) {
        return used == dict->ma_used ? NULL : "it has another number of entries than it says";
    }
    for (Py_ssize_t i = 0; i < dict->ma_used; i++) {
        if (*dict_entry(dict, i).value == NULL) {
            return "an attribute that was set has no value";
        }
    }
    return NULL;
}

/* ---- prepare ------------------------------------------------------------ */

/* An empty general table of the size of `old`, with its count of entries. */
static PyDictKeysObject *
new_general_keys(const PyDictKeysObject *old, Py_ssize_t nentries, Py_ssize_t usable)
{
    size_t index_bytes = (size_t)1 << old->dk_log2_index_bytes;
    size_t entries_bytes = (size_t)usable_entries(old) * sizeof(PyDictKeyEntry);
    size_t size = sizeof(PyDictKeysObject) + index_bytes + entries_bytes;
    PyDictKeysObject *keys = gcr_dict_keys_malloc(size);
    if (keys == NULL) {
        return NULL;
    }
    memset(keys, 0, size);
    keys->dk_refcnt = 1;
    keys->dk_log2_size = old->dk_log2_size;
    keys->dk_log2_index_bytes = old->dk_log2_index_bytes;
    keys->dk_kind = DICT_KEYS_GENERAL;
    keys->dk_nentries = nentries;
    keys->dk_usable = usable;
    return keys;
}

static const char *
check_edit(PyDictObject *dict, const gcr_key_edit *edit)
{
    Py_ssize_t length = dict_length(dict);
    if (edit->entry < 0 || edit->entry >= length) {
        return "the dict has no such entry any more";
    }
    int used = *dict_entry(dict, edit->entry).key != NULL;
    if (used != (edit->kind != GCR_EDIT_RESTORE)) {
        return "the dict's entry has changed since";
    }
    if (edit->kind == GCR_EDIT_HASH) {
        return NULL;
    }
    if (edit->winner < 0 || edit->winner >= length || edit->winner == edit->entry
        || *dict_entry(dict, edit->winner).key == NULL) {
        return "the dict has no such entry any more";
    }
    return NULL;
}

const char *
gcr_dict_prepare(gcr_rehash *rehash)
{
    PyDictObject *dict = (PyDictObject *)rehash->table;
    PyDictKeysObject *keys = dict->ma_keys;
    int split = dict->ma_values != NULL;
    int str_only = keys->dk_kind != DICT_KEYS_GENERAL;
    /* A lookup may be comparing keys up the stack. It starts again if the table is
     * another one by then (Objects/dictobject.c, DKIX_KEY_CHANGED); in the same one it
     * would go on at a place of the former index. */
    int convert = !str_only;
    for (size_t i = 0; i < rehash->count; i++) {
        const gcr_key_edit *edit = &rehash->edits[i];
        const char *reason = check_edit(dict, edit);
        if (reason != NULL) {
            return reason;
        }
        /* A subclass of str has a hash and an equality of its own. */
        if (str_only && (split || (edit->key != NULL && !PyUnicode_CheckExact(edit->key)))) {
            convert = 1;
        }
    }
    if (gcr_dict_versions_init() < 0) {
        return gcr_no_memory;
    }
    if (convert) {
        Py_ssize_t length = dict_length(dict);
        /* popitem() gives positions back without making them usable. */
        Py_ssize_t usable = split ? usable_entries(keys) - length : keys->dk_usable;
        rehash->keys = new_general_keys(keys, length, usable);
        if (rehash->keys == NULL) {
            return gcr_no_memory;
        }
        /* Now, while the keys are the former ones: what is written into a table of str
         * need not be a str, and has no hash where those keep theirs. */
        PyDictKeyEntry *entries = DK_ENTRIES(rehash->keys);
        for (Py_ssize_t i = 0; i < length; i++) {
            entry_parts parts = dict_entry(dict, i);
            if (*parts.key != NULL) {
                entries[i].me_hash = entry_hash(parts);
            }
        }
    }
    return PyODict_Check(rehash->table) && gcr_odict_prepare(rehash) < 0 ? gcr_no_memory : NULL;
}

/* ---- commit ------------------------------------------------------------- */

/* Puts a general table with the same entries at the same positions in the place
 * of a str-only one. */
static void
convert_to_general(gcr_rehash *rehash)
{
    PyDictObject *dict = (PyDictObject *)rehash->table;
    PyDictKeysObject *old = dict->ma_keys, *keys = rehash->keys;
    PyDictKeyEntry *entries = DK_ENTRIES(keys);
    for (Py_ssize_t i = 0; i < keys->dk_nentries; i++) {
        entry_parts parts = dict_entry(dict, i);
        if (*parts.key != NULL) {
            entries[i].me_key = *parts.key;
            entries[i].me_value = *parts.value;
        }
    }
    dict->ma_keys = keys;
    rehash->keys = NULL;
    if (dict->ma_values == NULL) {
        rehash->keys = old;
        return;
    }
    /* The shared keys keep their counts: this table takes its own, and so of
     * the new keys, which have no slot that is this dict's alone. */
    for (size_t i = 0; i < rehash->count; i++) {
        const gcr_key_edit *edit = &rehash->edits[i];
        if (edit->key != NULL) {
            entries[edit->entry].me_key = edit->key;
        }
    }
    for (Py_ssize_t i = 0; i < keys->dk_nentries; i++) {
        Py_INCREF(entries[i].me_key);
    }
    PyDictValues *values = dict->ma_values;
    dict->ma_values = NULL;
    gcr_split_values_leave(values);
    if (--old->dk_refcnt == 0) {
        /* The class is gone, this was its last instance's dict: nobody but
         * exact strs is freed. */
        for (Py_ssize_t i = 0; i < old->dk_nentries; i++) {
            Py_XDECREF(DK_UNICODE_ENTRIES(old)[i].me_key);
        }
        rehash->keys = old;
    }
}

static void
apply_hash(gcr_rehash *rehash, const gcr_key_edit *edit)
{
    PyDictObject *dict = (PyDictObject *)rehash->table;
    entry_parts parts = dict_entry(dict, edit->entry);
    if (parts.hash != NULL) {
        *parts.hash = edit->hash;
    }
    gcr_remember_hash(*parts.key, edit->hash);
    if (gcr_is_lru_link(*parts.value)) {
        gcr_lru_link_rehash(*parts.value, edit->hash);
    }
    if (PyODict_Check(rehash->table)) {
        gcr_odict_rehash(dict, edit->entry, *parts.key, edit->hash);
    }
}

static void
apply_drop(gcr_rehash *rehash, const gcr_key_edit *edit, gcr_dropped *dropped)
{
    PyDictObject *dict = (PyDictObject *)rehash->table;
    entry_parts loser = dict_entry(dict, edit->entry);
    entry_parts winner = dict_entry(dict, edit->winner);
    *dropped = (gcr_dropped){edit->entry, edit->winner, entry_hash(loser), *winner.key,
                             *loser.key, *winner.value};
    gcr_remember_hash(*loser.key, edit->hash);
    if (gcr_is_lru_link(*winner.value)) {
        gcr_lru_link_unlink(*winner.value);
    }
    if (PyODict_Check(rehash->table)) {
        gcr_odict_drop(dict, edit->entry, *loser.key);
    }
    *winner.value = *loser.value;
    if (gcr_is_lru_link(*winner.value)) {
        gcr_lru_link_rehash(*winner.value, entry_hash(winner));
    }
    *loser.key = NULL;
    *loser.value = NULL;
    dict->ma_used--;
}

static void
apply_restore(gcr_rehash *rehash, const gcr_key_edit *edit)
{
    PyDictObject *dict = (PyDictObject *)rehash->table;
    entry_parts loser = dict_entry(dict, edit->entry);
    entry_parts winner = dict_entry(dict, edit->winner);
    *loser.key = edit->key;
    *loser.value = *winner.value;
    *winner.value = edit->value;
    if (gcr_is_lru_link(*loser.value)) {
        gcr_lru_link_link(*winner.value, *loser.value);
        gcr_lru_link_rehash(*loser.value, edit->hash);
        gcr_lru_link_rehash(*winner.value, entry_hash(winner));
    }
    if (loser.hash != NULL) {
        *loser.hash = edit->hash;
    }
    gcr_remember_hash(edit->key, edit->hash);
    dict->ma_used++;
    if (PyODict_Check(rehash->table)) {
        gcr_odict_restore(rehash, edit->entry, edit->key, edit->hash);
    }
}

void
gcr_dict_commit(gcr_rehash *rehash)
{
    PyDictObject *dict = (PyDictObject *)rehash->table;
    PyDictKeysObject *old = dict->ma_keys;
    if (rehash->keys != NULL) {
        convert_to_general(rehash);
        if (PyODict_Check(rehash->table)) {
            gcr_odict_table_replaced(dict, old);
        }
    }
    for (size_t i = 0; i < rehash->count; i++) {
        const gcr_key_edit *edit = &rehash->edits[i];
        switch (edit->kind) {
        case GCR_EDIT_HASH:
            apply_hash(rehash, edit);
            break;
        case GCR_EDIT_DROP:
            apply_drop(rehash, edit, &rehash->dropped[i]);
            break;
        case GCR_EDIT_RESTORE:
            apply_restore(rehash, edit);
            break;
        }
    }
    build_index(dict->ma_keys);
    /* Specialised bytecode finds entries by position under this version. */
    dict->ma_keys->dk_version = 0;
    gcr_dict_modified(rehash->table);
}

/* ---- versions ----------------------------------------------------------- */

/* A dict that is modified only to draw a new version. */
static PyObject *version_source;

int
gcr_dict_versions_init(void)
{
    if (version_source != NULL) {
        return 0;
    }
    PyObject *dict = PyDict_New();
    if (dict == NULL || PyDict_SetItem(dict, Py_None, Py_None) < 0) {
        PyErr_Clear();
        Py_XDECREF(dict);
        return -1;
    }
    version_source = dict;
    return 0;
}

void
gcr_dict_modified(PyObject *dict)
{
    /* An item that exists gets another value: nothing is allocated, nothing
     * can fail. */
    PyObject *value = PyDict_GetItem(version_source, Py_None);
    PyDict_SetItem(version_source, Py_None, value == Py_None ? Py_True : Py_None);
    gcr_dict_take_version((PyDictObject *)dict, (PyDictObject *)version_source);
}

/* ---- entries ------------------------------------------------------------ */

intptr_t
gcr_table_length(PyObject *table)
{
    if (PyAnySet_Check(table)) {
        return ((PySetObject *)table)->mask + 1;
    }
    return dict_length((PyDictObject *)table);
}

int
gcr_table_entry(PyObject *table, intptr_t i, PyObject **key, intptr_t *hash,
                PyObject ***key_slot, PyObject ***value_slot)
{
    entry_parts parts;
    PyObject **slot;
    if (PyAnySet_Check(table)) {
        setentry *entry = &((PySetObject *)table)->table[i];
        /* The hash of a deleted entry is -1, which is no hash. */
        if (entry->key == NULL || entry->hash == -1) {
            return 0;
        }
        parts = (entry_parts){&entry->key, NULL, &entry->hash};
        slot = parts.key;
    }
    else {
        PyDictObject *dict = (PyDictObject *)table;
        parts = dict_entry(dict, i);
        if (*parts.key == NULL) {
            return 0;
        }
        slot = dict->ma_values != NULL ? NULL : parts.key;
    }
    if (key != NULL) {
        *key = *parts.key;
    }
    if (hash != NULL) {
        *hash = entry_hash(parts);
    }
    if (key_slot != NULL) {
        *key_slot = slot;
    }
    if (value_slot != NULL) {
        *value_slot = parts.value;
    }
    return 1;
}
