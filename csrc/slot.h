/* What a walker says of a slot, for gcremap.h. */
#ifndef GCREMAP_SLOT_H
#define GCREMAP_SLOT_H

#include <stddef.h>
#include <stdint.h>

typedef struct _object PyObject;

/* How a slot refers, which decides what a rewrite does to reference counts. */
typedef enum gcr_kind {
    GCR_STRONG = 0,   /* owns one count */
    GCR_BORROWED = 1, /* owns none: another slot keeps the referent alive */
    GCR_WEAK = 2,     /* wr_object of a weak reference: list links must follow */
    GCR_STACKREF = 3, /* a _PyStackRef word (3.14+): its tag says whether it owns */
    GCR_TAGGED = 4,   /* owns one count; the low bit is the holder's own flag */
} gcr_kind;

/* What must follow a rewrite, beyond the counts. */
typedef enum gcr_role {
    GCR_PLAIN = 0,
    GCR_DICT_KEY,     /* the table must be reindexed */
    GCR_DICT_VALUE,   /* watchers; a type's namespace has caches */
    GCR_SET_ENTRY,    /* the table must be reindexed */
    GCR_OB_TYPE,      /* the class of an instance */
    GCR_TYPE_BASE,    /* tp_base, an item of tp_bases is GCR_PLAIN of a tuple */
    GCR_TYPE_BASES,
    GCR_TYPE_MRO,
    GCR_TYPE_DICT,
    GCR_FUNCTION,     /* func_version and function watchers */
    GCR_FRAME_LOCAL,
    GCR_FRAME_STACK,
    GCR_HASH_NODE,    /* placed by a key's hash in a structure of its own (HAMT, odict, lru link) */
} gcr_role;

/* What a slot can hold without its C code misreading memory. */
typedef enum gcr_accepts {
    GCR_ANY = 0,      /* any object */
    GCR_SAME_LAYOUT,  /* an object whose type extends (or is) the type of the referent it replaces */
    GCR_DICT,         /* a dict or a subclass */
    GCR_EXACT_DICT,
    GCR_TUPLE,
    GCR_STR,
    GCR_TYPE,
    GCR_CODE,
    GCR_CELL,
    GCR_MODULE_OR_NONE,
    GCR_CALLED,       /* the function that a suspended frame runs */
    GCR_NOTHING,      /* C code keeps private state about this very referent: refuse */
} gcr_accepts;

/* tp_traverse does not show this slot. */
#define GCR_HIDDEN 1u
/* With GCR_HIDDEN: some patch releases show it all the same. */
#define GCR_PERHAPS_SHOWN 4u
/* In use by running code that has its own copy (an operand of the instruction
 * in progress; the function and code of a running frame): counted, never
 * rewritten, no reason to refuse. Takes precedence over `accepts`. */
#define GCR_IN_FLIGHT 2u

typedef struct gcr_slot {
    PyObject **address;
    gcr_kind kind;
    gcr_role role;
    gcr_accepts accepts;
    uint32_t flags;
    /* For paths people read: an attribute (".__closure__"), or "[]" with
     * `index`, or "[key]" with `key`; static strings, never freed. */
    const char *name;
    intptr_t index;
    PyObject *key; /* borrowed */
    /* Only for slots of running frames: the frame, its code and line. */
    PyObject *code;
    int line;
    void *frame;
} gcr_slot;

#endif
