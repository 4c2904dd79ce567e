/* A class hands its shared keys on to the class that its instances become of.
 *
 * Instances keep attribute values in arrays laid out by the keys of their class.
 * Assignment to __class__ therefore unpacks every array into a dict. If the new class
 * can take over the old one's keys instead, each instance stays as it is. Both classes
 * have them from then on, and whichever meets a new name adds it for both. */
#include "compat_tables.h"
#include "compat_types.h"

/* How long arrays by these keys are at least: an instance may lower it, nothing raises
 * it (init_inline_values, insert_into_dictkeys in Objects/dictobject.c). */
static Py_ssize_t
least_length(const PyDictKeysObject *keys)
{
    return keys->dk_nentries + keys->dk_usable;
}

/* Whether an array by the keys `before` reads the same by the keys `after`: all names of
 * the one are where they were, further ones fit. A dict that shares `before` would go
 * on to add names of its own. */
static int
can_follow(PyDictKeysObject *before, PyDictKeysObject *after)
{
    if (before->dk_refcnt != 1 || before->dk_nentries > after->dk_nentries
        || least_length(before) < least_length(after)) {
        return 0;
    }
    for (Py_ssize_t i = 0; i < before->dk_nentries; i++) {
        if (DK_UNICODE_ENTRIES(before)[i].me_key != DK_UNICODE_ENTRIES(after)[i].me_key) {
            return 0;
        }
    }
    return 1;
}

int
gcr_keys_prepare(PyObject *old_class, PyObject *new_class, gcr_keys_move *move)
{
    PyHeapTypeObject *from = (PyHeapTypeObject *)old_class;
    PyHeapTypeObject *to = (PyHeapTypeObject *)new_class;
    *move = (gcr_keys_move){.new_class = new_class};
    if (!(from->ht_type.tp_flags & GCR_TPFLAGS_VALUES)) {
        return 1;
    }
    /* The values are found behind the object by its class's tp_basicsize (3.13). */
    if (!(to->ht_type.tp_flags & GCR_TPFLAGS_VALUES)
        || from->ht_type.tp_basicsize != to->ht_type.tp_basicsize) {
        return 0;
    }
    PyDictKeysObject *keys = from->ht_cached_keys;
    PyDictKeysObject *present = to->ht_cached_keys;
    if (keys == NULL || present == NULL) {
        return 0;
    }
    if (keys == present) {
        return 1;
    }
    if (!can_follow(present, keys)) {
        return 0;
    }
    move->keys = keys;
    return 1;
}

void
gcr_keys_commit(gcr_keys_move *move)
{
    if (move->keys == NULL) {
        return;
    }
    PyHeapTypeObject *to = (PyHeapTypeObject *)move->new_class;
    PyDictKeysObject *keys = move->keys;
    keys->dk_refcnt++;
    move->former = to->ht_cached_keys;
    to->ht_cached_keys = keys;
    /* Specialised code has places of values under the class's version. */
    gcr_type_modified(move->new_class);
}

void
gcr_keys_release(gcr_keys_move *move)
{
    PyDictKeysObject *former = move->former;
    if (former == NULL) {
        return;
    }
    move->former = NULL;
    /* In a swap of classes it has become the other one's. */
    if (--former->dk_refcnt != 0) {
        return;
    }
    for (Py_ssize_t i = 0; i < former->dk_nentries; i++) {
        Py_XDECREF(DK_UNICODE_ENTRIES(former)[i].me_key);
    }
    gcr_dict_keys_free(former);
}
