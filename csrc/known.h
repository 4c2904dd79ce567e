/* Types whose slots are learned from a sample. Private to csrc/. */
#ifndef GCREMAP_KNOWN_H
#define GCREMAP_KNOWN_H

#include "walk.h"

enum { GCR_MOST_FIELDS = 10 };

typedef struct gcr_known_field {
    const char *name;
    gcr_accepts accepts;
    uint32_t flags;
    gcr_role role;
} gcr_known_field;

/* Most structs of CPython are in no header, and their fields move from version to
 * version. So the offsets of fields are not written down but looked up at import: a
 * sample is made whose fields hold known objects, and the words that hold these are
 * the fields. What is learned is used if it then shows what the traversal of the
 * sample shows; else, the probe serves. */
typedef struct gcr_known {
    /* A Python expression, for whose names see known.c: a tuple of the sample and the
     * referent of each field, ... for one that it does not have; or a list of such
     * tuples, where no one sample has all fields. */
    const char *sample;
    /* Slots beyond the object's own memory, or that not all objects have; or NULL.
     * For a type with no fields, what stands behind the sample are referents that
     * the walker must show. */
    gcr_walker walk;
    gcr_known_field fields[GCR_MOST_FIELDS];
} gcr_known;

/* Families, each ended by a NULL sample. */
extern const gcr_known gcr_known_caches[];
extern const gcr_known gcr_known_callables[];
extern const gcr_known gcr_known_containers[];
extern const gcr_known gcr_known_exceptions[];
extern const gcr_known gcr_known_iterators[];
extern const gcr_known gcr_known_typing[];
extern const gcr_known gcr_known_values[];

typedef struct gcr_walker_entry {
    /* What it is found by: tp_traverse, so that it serves all types that are
     * traversed alike; for a type without one, the type. */
    const void *key;
    gcr_walker walk;
    const gcr_known *known;
    Py_ssize_t offsets[GCR_MOST_FIELDS];
    int shows_class; /* as traversals of heap types do since 3.9 (bpo-40217) */
    int ambiguous;   /* found by types that differ */
} gcr_walker_entry;

void gcr_walker_add(const void *key, gcr_walker walk);
void gcr_walker_forget_all(void);

/* The entry for instances of exactly `type`; NULL if it is not known. */
const gcr_walker_entry *gcr_walker_find(PyTypeObject *type);

/* Shows the slots that the entry knows of. */
int gcr_walker_run(const gcr_walker_entry *entry, PyObject *holder, gcr_walk_state *walk);

/* Whether an entry shows of the sample, the first of `tuple`, what its traversal
 * shows, and all the rest of the tuple. */
int gcr_walker_agrees(PyObject *sample, const gcr_walker_entry *entry, PyObject *tuple);

#endif
