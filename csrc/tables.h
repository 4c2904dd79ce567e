#ifndef GCREMAP_TABLES_H
#define GCREMAP_TABLES_H

#include "slot.h"

/* Hash repair. A table is a dict, set or frozenset, an instance of a subclass, or a
 * frozendict. Its repair has two phases. Prepare may allocate and may refuse;
 * then the engine stores the new keys and values through the slots; then
 * commit, which cannot fail, brings stored hashes and the index in line. In
 * between the table must not be touched by anybody else.
 *
 * Entries of a dict keep their positions, so live iterators and the order go
 * on. Entries of a set are placed by hash: after a commit their positions are
 * others, and so are the addresses of all slots; ask for them again. */

typedef enum gcr_edit_kind {
    GCR_EDIT_HASH = 0, /* the key at `entry` has, or will have, `hash` */
    GCR_EDIT_DROP,     /* the key at `entry` became equal to that at `winner`,
                          which takes its value; the entry becomes a deleted one */
    GCR_EDIT_RESTORE,  /* undoes a drop: see gcr_rehash_prepare */
} gcr_edit_kind;

typedef struct gcr_key_edit {
    gcr_edit_kind kind;
    intptr_t entry, winner;
    intptr_t hash;   /* of the key, as it will be; never -1 */
    PyObject *key;   /* HASH: the key that will stand there, NULL if the same; RESTORE: the key */
    PyObject *value; /* RESTORE in a dict: what the winner is to get back */
} gcr_key_edit;

/* What a drop took out. `key` and `value`, if not NULL, are counts that are the
 * caller's from the commit on. */
typedef struct gcr_dropped {
    intptr_t entry, winner, hash;
    PyObject *winner_key; /* borrowed */
    PyObject *key;
    PyObject *value; /* what the winner had before; NULL for a set */
} gcr_dropped;

/* Whether an entry that was dropped can be inserted anew by what follows: frozensets take
 * none, caches of functools.lru_cache can do without, and a dead weak reference stays away. */
int gcr_takes_entry(PyObject *table, PyObject *key, PyObject *value);

/* The other way for a dict, by its own means, that run Python code: what the winner has goes to
 * a new entry, if there is none of that key, and the winner gets its value back. -1 with an
 * exception set. */
int gcr_dict_split_entry(PyObject *dict, PyObject *winner, PyObject *value, PyObject *key);

typedef struct gcr_rehash gcr_rehash;

int gcr_is_table(PyObject *object);

/* The number of positions of entries, used or not. Those of a dict are the
 * positions of its iterators (in a split table: the insertion order). */
intptr_t gcr_table_length(PyObject *table);

/* The entry at a position; 0 if it is unused. `value_slot` is NULL for a set.
 * `key_slot` is NULL for a split table, whose keys belong to all instances of a
 * class: there the commit stores the keys of the edits, taking a new count of
 * each, and leaves the class's. Pointers to results may be NULL. */
int gcr_table_entry(PyObject *table, intptr_t i, PyObject **key, intptr_t *hash,
                    PyObject ***key_slot, PyObject ***value_slot);

/* NULL, or in one static sentence why lookups in the table go wrong: an entry that its
 * hash does not lead to, a str under a hash that is not its own. For the tests. */
const char *gcr_table_fault(PyObject *table);

/* Copies `edits`. Drops must come in ascending order of `entry`, their winners
 * below them in a dict; an entry has one edit at most, a winner may have one of
 * its own. To undo a repair: hash edits with the old keys and hashes, and for
 * its drops, last one first, a RESTORE with what gcr_rehash_dropped told; the
 * counts go to the table with the commit. (A restored entry of an OrderedDict
 * is put behind its neighbour in the dict.)
 * Returns NULL and sets *why: a static sentence, or NULL if out of memory. No
 * Python exception is set, no Python code runs. */
gcr_rehash *gcr_rehash_prepare(PyObject *table, const gcr_key_edit *edits, size_t count,
                               const char **why);

/* The caller owes a class dict PyType_Modified and who watches a dict its events. */
void gcr_rehash_commit(gcr_rehash *rehash);

/* After the commit: the k-th drop, in the order of the edits; 0 if there are no more. */
int gcr_rehash_dropped(const gcr_rehash *rehash, size_t k, gcr_dropped *dropped);

/* Before the commit it discards what was prepared, after it what the table no
 * longer needs. Drops no counts of objects that could reach 0 and run code. */
void gcr_rehash_free(gcr_rehash *rehash);

/* Gives the dict a new ma_version_tag (up to 3.13): for values that were stored
 * behind its back. Commits do it themselves. gcr_rehash_prepare of any dict,
 * or gcr_dict_versions_init, must have succeeded before. */
void gcr_dict_modified(PyObject *dict);
int gcr_dict_versions_init(void); /* -1: out of memory, no exception set */

/* Non-zero if the object stores its hash, computed from what it refers to. */
int gcr_caches_hash(PyObject *object);
void gcr_forget_hash(PyObject *object);

#endif
