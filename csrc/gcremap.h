/* The whole C ABI between csrc/ (which knows CPython's layouts) and src/.
 *
 * Nothing here includes Python.h, so that bindgen needs no Python headers.
 * Unless a function says otherwise it needs the GIL, cannot fail, allocates
 * nothing and runs no Python code.
 *
 * Words: a slot is the address of a PyObject * field; its holder is the object
 * (or frame) it belongs to; a referent is what a slot points to. */
#ifndef GCREMAP_H
#define GCREMAP_H

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

/* Returns non-zero to stop the walk; the walk returns that value. */
typedef int (*gcr_slot_visitor)(const gcr_slot *slot, void *arg);
typedef int (*gcr_object_visitor)(PyObject *object, void *arg);

/* ---- set-up ---------------------------------------------------------- */

/* Collects the types that walkers are keyed by and checks that the layouts
 * compiled in are those of the running interpreter. Returns NULL, or one clear
 * sentence (static storage) saying why this interpreter cannot be used.
 * Called once, at import; may run Python code (imports) and allocate. */
const char *gcr_init(void);

/* ---- heap ------------------------------------------------------------ */

/* Every object on the collector's lists: all generations and the permanent
 * one. The visitor must not allocate, track or untrack Python objects. */
int gcr_heap(gcr_object_visitor visit, void *arg);

/* tp_traverse of `holder`; nothing when its type has none, or when the object
 * is itself a type for which Py_TPFLAGS_HAVE_GC does not apply. */
int gcr_traverse(PyObject *holder, gcr_object_visitor visit, void *arg);

int gcr_is_gc(PyObject *object);      /* PyObject_IS_GC */
int gcr_is_tracked(PyObject *object); /* is on a list of the collector */
void gcr_track(PyObject *object);     /* put a GC object on a list; no-op if it is */
int gcr_is_immortal(PyObject *object);
/* Non-zero if the object can hold no reference but its type's: exact str,
 * bytes, int, float, bool, None and the like. Quick; used to cut walks. */
int gcr_is_leaf(PyObject *object);

/* ---- walkers --------------------------------------------------------- */

/* How complete gcr_walk was. */
typedef enum gcr_coverage {
    GCR_NONE = 0,    /* no walker knows this type: use the probe */
    GCR_PARTIAL = 1, /* some slots are known (those Python added to a subclass), a base type's are not */
    GCR_FULL = 2,    /* every slot that tp_traverse shows was visited, and the hidden ones */
} gcr_coverage;

/* Whether gcr_walk would be complete, without walking. */
gcr_coverage gcr_walker_coverage(PyObject *holder);

/* Visits the address of every slot of `holder` that is not NULL, each once.
 * Works for GC and non-GC holders. Returns what the visitor returned, or 0. */
int gcr_walk(PyObject *holder, gcr_slot_visitor visit, void *arg);

/* Non-zero for a generator or coroutine that is running: its slots are those of
 * a running frame, which no walker of the object may touch. */
int gcr_is_running(PyObject *holder);

/* ---- the object's own memory, for the probe --------------------------- */

/* The block of memory that is the object: from the first word before it that
 * belongs to it (GC header excluded) to its end, from tp_basicsize and
 * tp_itemsize. */
void gcr_extent(PyObject *object, char **start, char **end);

/* ---- checks ------------------------------------------------------------ */

/* Why `old` may not be remapped at all; NULL when it may. */
const char *gcr_old_refusal(PyObject *old);

/* Why a slot that holds `old` cannot take `new_`; NULL when it can. */
const char *gcr_accept_refusal(gcr_accepts accepts, PyObject *old, PyObject *new_);

/* The same for what the kind of holder forbids, whatever the slot. */
const char *gcr_item_refusal(PyObject *holder, PyObject *old, PyObject *new_);

/* Non-zero if the hash of `object` is computed from more than its address. */
int gcr_hash_depends(PyObject *object);

/* Non-zero for a dict, a list and the like. */
int gcr_is_unhashable(PyObject *object);

/* The namespace of a class (borrowed), static ones included; NULL if it has none yet. */
PyObject *gcr_type_namespace(PyObject *type);

/* Whether a C slot of a class may have to change when the attribute `name` of
 * its namespace changes from `old` to `new_`. */
int gcr_fills_type_slot(PyObject *name, PyObject *old, PyObject *new_);

/* ---- frames and C stacks ------------------------------------------------ */

/* Every slot of every running frame of every thread: locals, cells, the
 * evaluation stack as far as it is precise, and the frame's own fields. All
 * referents are alive. Frames of suspended generators belong to the
 * generator's walker, those of executing ones are visited here. Takes scratch
 * memory from malloc, never from Python. */
int gcr_frames(gcr_slot_visitor visit, void *arg);

/* Calls `body` with a base for gcr_in_use: what stands on the stack below it is
 * the engine's own. */
PyObject *gcr_call_with_base(PyObject *(*body)(void *arg, uintptr_t base), void *arg);

/* Conservative: which of `objects` (ascending addresses) stand as a word on the
 * C stack of any thread of this process, from `base` up on the calling thread's,
 * or uncounted in a running frame; found[i] is set to 1 for each, the others are
 * left alone. All are found where the stacks cannot be read. Reads /proc and
 * takes scratch memory from malloc. */
void gcr_in_use(PyObject *const *objects, size_t count, uintptr_t base, unsigned char *found);

/* ---- functions that take over ------------------------------------------- */

/* Two function objects trade everything but identity, weak references and
 * counts. Returns 0, with nothing changed, for anything but two functions that
 * are called the usual way. C function watchers are told. */
int gcr_swap_functions(PyObject *left, PyObject *right);

#endif
