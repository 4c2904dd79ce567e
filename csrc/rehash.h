/* What the files of hash repair share. */
#ifndef GCREMAP_REHASH_H
#define GCREMAP_REHASH_H

#include "compat_tables.h"

struct gcr_rehash {
    PyObject *table; /* borrowed: the plan owns it */
    size_t count;
    int committed;
    /* dict: the general table that replaces a str-only one, or NULL; after
     * the commit the table that was replaced, if it is ours to free. */
    PyDictKeysObject *keys;
    /* OrderedDict: nodes for restored entries. */
    struct gcr_odict_node *nodes;
    /* set: room for the entries in their new places. */
    setentry *entries;
    size_t mask;
    /* One for each edit, filled in by the commit for drops. */
    gcr_dropped *dropped;
    gcr_key_edit edits[];
};

/* Each returns NULL if the edits can be prepared, or why not; a failed
 * allocation is `gcr_no_memory`. */
extern const char gcr_no_memory[];
const char *gcr_dict_prepare(gcr_rehash *rehash);
void gcr_dict_commit(gcr_rehash *rehash);
const char *gcr_set_prepare(gcr_rehash *rehash);
void gcr_set_commit(gcr_rehash *rehash);

/* See gcr_table_fault. */
const char *gcr_dict_fault(PyDictObject *dict);
const char *gcr_set_fault(PySetObject *set);

/* OrderedDict keeps a list of nodes with keys and hashes of their own. The
 * commits follow one edit each, after the dict's own part. */
int gcr_odict_prepare(gcr_rehash *rehash); /* -1: out of memory */
void gcr_odict_rehash(PyDictObject *dict, Py_ssize_t entry, PyObject *key, Py_hash_t hash);
void gcr_odict_drop(PyDictObject *dict, Py_ssize_t entry, PyObject *key);
void gcr_odict_restore(gcr_rehash *rehash, Py_ssize_t entry, PyObject *key, Py_hash_t hash);
/* The dict's table was replaced by one of the same size and positions. */
void gcr_odict_table_replaced(PyDictObject *dict, PyDictKeysObject *old);
void gcr_odict_free(gcr_rehash *rehash);

/* A weak reference in a table keeps the hash it stands under: it is asked for it
 * when its referent is gone (WeakSet's and WeakKeyDictionary's callbacks). */
void gcr_remember_hash(PyObject *key, Py_hash_t hash);

/* The links of functools.lru_cache keep the hash of the key they stand under. */
int gcr_is_lru_link(PyObject *object);
/* Puts a link into the ring, as used before another one that is in it. */
void gcr_lru_link_link(PyObject *link, PyObject *next);
void gcr_lru_link_rehash(PyObject *link, Py_hash_t hash);
void gcr_lru_link_unlink(PyObject *link);

#endif
