/* Hash repair of sets: an entry's place is decided by its hash, so all entries
 * are placed anew, in a table of the same size. Deleted entries go. */
#include "rehash.h"

static int
is_active(const setentry *entry)
{
    /* The hash of a deleted entry is -1, which is no hash. */
    return entry->key != NULL && entry->hash != -1;
}

/* The first entry with this key (or NULL) or that is free, in the order in which
 * set_insert_clean() and lookups go by a hash (Objects/setobject.c; the same from 3.11
 * to 3.15). */
static setentry *
find(setentry *entries, size_t mask, PyObject *key, Py_hash_t hash)
{
    enum { LINEAR_PROBES = 9, PERTURB_SHIFT = 5 };
    size_t perturb = (size_t)hash;
    size_t i = (size_t)hash & mask;
    for (;;) {
        size_t last = i + LINEAR_PROBES <= mask ? i + LINEAR_PROBES : i;
        for (size_t j = i; j <= last; j++) {
            if (entries[j].key == NULL || entries[j].key == key) {
                return &entries[j];
            }
        }
        perturb >>= PERTURB_SHIFT;
        i = (i * 5 + 1 + perturb) & mask;
    }
}

static void
place(setentry *entries, size_t mask, PyObject *key, Py_hash_t hash)
{
    *find(entries, mask, NULL, hash) = (setentry){key, hash};
}

const char *
gcr_set_fault(PySetObject *set)
{
    Py_ssize_t used = 0;
    for (Py_ssize_t i = 0; i <= set->mask; i++) {
        setentry *entry = &set->table[i];
        if (!is_active(entry)) {
            continue;
        }
        used++;
        if (PyUnicode_CheckExact(entry->key)
            && entry->hash != ((PyASCIIObject *)entry->key)->hash) {
            return "a str stands under a hash that is not its own";
        }
        if (find(set->table, (size_t)set->mask, entry->key, entry->hash) != entry) {
            return "an entry is not found by the hash that it stands under";
        }
    }
    return used == set->used ? NULL : "it has another number of entries than it says";
}

const char *
gcr_set_prepare(gcr_rehash *rehash)
{
    PySetObject *set = (PySetObject *)rehash->table;
    size_t used = (size_t)set->used;
    for (size_t i = 0; i < rehash->count; i++) {
        const gcr_key_edit *edit = &rehash->edits[i];
        if (edit->kind == GCR_EDIT_RESTORE) {
            used++;
        }
        else if (edit->entry < 0 || edit->entry > set->mask
                 || !is_active(&set->table[edit->entry])) {
            return "the set has no such entry any more";
        }
    }
    /* set_add_entry() keeps this much free, and lookups end at free entries. */
    rehash->mask = (size_t)set->mask;
    while (used * 5 >= rehash->mask * 3 && used > (size_t)set->used) {
        rehash->mask = rehash->mask * 2 + 1;
    }
    /* CPython frees the table if it becomes the set's. */
    rehash->entries = PyMem_Calloc(rehash->mask + 1, sizeof(setentry));
    return rehash->entries != NULL ? NULL : gcr_no_memory;
}

void
gcr_set_commit(gcr_rehash *rehash)
{
    PySetObject *set = (PySetObject *)rehash->table;
    setentry *entries = rehash->entries;
    /* First all edits by position, then every entry to its place. */
    for (size_t i = 0; i < rehash->count; i++) {
        const gcr_key_edit *edit = &rehash->edits[i];
        if (edit->kind == GCR_EDIT_HASH) {
            set->table[edit->entry].hash = edit->hash;
            gcr_remember_hash(set->table[edit->entry].key, edit->hash);
        }
        else if (edit->kind == GCR_EDIT_DROP) {
            setentry *entry = &set->table[edit->entry];
            rehash->dropped[i] =
                (gcr_dropped){edit->entry, edit->winner, entry->hash,
                              set->table[edit->winner].key, entry->key, NULL};
            gcr_remember_hash(entry->key, edit->hash);
            *entry = (setentry){NULL, 0};
            set->used--;
        }
    }
    for (Py_ssize_t i = 0; i <= set->mask; i++) {
        if (is_active(&set->table[i])) {
            place(entries, rehash->mask, set->table[i].key, set->table[i].hash);
        }
    }
    for (size_t i = 0; i < rehash->count; i++) {
        const gcr_key_edit *edit = &rehash->edits[i];
        if (edit->kind == GCR_EDIT_RESTORE) {
            place(entries, rehash->mask, edit->key, edit->hash);
            gcr_remember_hash(edit->key, edit->hash);
            set->used++;
        }
    }
    set->fill = set->used;
    /* Always another table: a lookup that is comparing up the stack starts again then
     * (Objects/setobject.c, set_lookkey). */
    rehash->entries = set->table != set->smalltable ? set->table : NULL;
    set->table = entries;
    set->mask = (Py_ssize_t)rehash->mask;
}
