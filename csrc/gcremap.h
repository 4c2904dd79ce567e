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

#include "sieve.h"
#include "slot.h"

/* Returns non-zero to stop the walk; the walk returns that value. */
typedef int (*gcr_slot_visitor)(const gcr_slot *slot, void *arg);
typedef int (*gcr_object_visitor)(PyObject *object, void *arg);

/* ---- set-up ---------------------------------------------------------- */

/* Collects the types that walkers are keyed by and checks that the layouts
 * compiled in are those of the running interpreter. Returns NULL, or one clear
 * sentence (static storage) saying why this interpreter cannot be used.
 * Called once, at import; may run Python code (imports) and allocate. */
const char *gcr_init(void);
/* Learns where types that no header describes have their slots, of samples of them.
 * Called before the first walk; runs Python code and allocates. -1 with an exception
 * (no memory, no stack, an interrupt): to be called again. */
int gcr_learn(void);

/* ---- heap ------------------------------------------------------------ */

/* Every object on the collector's lists: all generations and the permanent
 * one. The visitor must not allocate, track or untrack Python objects. */
int gcr_heap(gcr_object_visitor visit, void *arg);

/* Every type that is alive, static ones included. As for gcr_heap. */
int gcr_types(gcr_object_visitor visit, void *arg);

/* The namespace of every plain module in sys.modules. As for gcr_heap. */
int gcr_module_namespaces(gcr_object_visitor visit, void *arg);

/* tp_traverse of `holder`; nothing when its type has none, or when the object
 * is itself a type for which Py_TPFLAGS_HAVE_GC does not apply. */
int gcr_traverse(PyObject *holder, gcr_object_visitor visit, void *arg);

/* `slot` is where the referent stands, and how; NULL when that is not told. */
typedef int (*gcr_told_visitor)(PyObject *referent, PyObject **slot, gcr_kind kind, void *arg);

/* The same with the slots that the traversal tells: in an interpreter of patches/ those
 * of all that was compiled with its headers and visits fields, in others none. */
int gcr_traverse_told(PyObject *holder, gcr_told_visitor visit, void *arg);

/* Whether the traversals of this interpreter tell slots. Allocates a list. */
int gcr_traversal_tells(void);

int gcr_is_gc(PyObject *object);      /* PyObject_IS_GC */
int gcr_is_tracked(PyObject *object); /* is on a list of the collector */
void gcr_track(PyObject *object);     /* put a GC object on a list; no-op if it is */
/* Moves an object to the youngest generation; nothing if the collector does not track it. */
void gcr_make_young(PyObject *object);
/* The same for a class and its bases, each with what refers to it from within (its MRO and
 * its own descriptors), to the youngest generation: if nothing else refers to it, the
 * next young collection frees it, and it leaves the lists of subclasses. */
void gcr_make_class_young(PyObject *class_);
int gcr_is_immortal(PyObject *object);
/* Non-zero if the object can hold no reference but its type's: exact str,
 * bytes, int, float, bool, None and the like. Quick; used to cut walks. */
int gcr_is_leaf(PyObject *object);
/* Non-zero for what may hold references but is on no list: an untracked container,
 * an object that is not the collector's. Quick. */
int gcr_is_unlisted(PyObject *object);
/* Non-zero for a container whose tp_traverse shows every slot, str keys aside: exact
 * lists, tuples, dicts and the like. Quick. */
int gcr_shows_all(PyObject *holder);

/* Non-zero for a function and for what wraps one: descriptors, cells. Quick. */
int gcr_is_definition(PyObject *object);

/* What an object is to a remap besides a holder. */
typedef enum gcr_nature {
    GCR_NOTHING_ELSE = 0,
    GCR_IS_TYPE,
    GCR_IS_MODULE,
    GCR_STORES_HASHES, /* a table with other keys than str; or its own hash, now */
} gcr_nature;

gcr_nature gcr_nature_of(PyObject *object);

/* Which referents of an object pass a sieve. */
typedef enum gcr_hit {
    GCR_NO_REFERENT = 0,
    GCR_SOME_REFERENT,
    GCR_ITS_CLASS, /* and nothing else, of an instance that gcr_walk is sure of */
} gcr_hit;

typedef void (*gcr_scan_visitor)(PyObject *object, gcr_nature nature, gcr_hit hit, void *arg);

/* Visits each object on the collector's lists that may hold what is looked for, or is
 * something else to a remap. Returns how many there are on the lists in all. As for
 * gcr_heap. */
size_t gcr_scan(const gcr_sieve *sieve, gcr_scan_visitor visit, void *arg);

/* ---- walkers --------------------------------------------------------- */

/* How complete gcr_walk was. */
typedef enum gcr_coverage {
    GCR_NONE = 0,    /* no walker knows this type: use the probe */
    GCR_PARTIAL = 1, /* some slots are known (those Python added to a subclass), a base type's are not */
    GCR_FULL = 2,    /* every slot that tp_traverse shows was visited, and the hidden ones */
} gcr_coverage;

/* Whether gcr_walk would be complete, without walking. */
gcr_coverage gcr_walker_coverage(PyObject *holder);

/* Non-zero if the walker shows every slot that tp_traverse shows, and each as a slot of
 * no other holder unless its flags say that it may be hidden: of the types whose layout
 * is checked at import, the most frequent. Quick. */
int gcr_walk_is_sure(PyObject *holder);

/* Visits the address of every slot of `holder` whose referent passes the sieve, each
 * once; with no sieve (NULL), of every slot that is not NULL. Works for GC and non-GC
 * holders. Returns what the visitor returned, or 0. */
int gcr_walk(PyObject *holder, const gcr_sieve *sieve, gcr_slot_visitor visit, void *arg);

/* The dict that the attributes of an instance have moved to, borrowed; NULL while they
 * are in the instance itself. Cannot fail. */
PyObject *gcr_instance_dict(PyObject *object);

/* Non-zero for a generator or coroutine that is running: its slots are those of
 * a running frame, which no walker of the object may touch. */
int gcr_is_running(PyObject *holder);
/* A suspended generator or coroutine whose frame borrows `dict` from its function, for
 * globals or builtins. */
int gcr_reads_names_from(PyObject *object, PyObject *dict);

/* ---- the object's own memory, for the probe --------------------------- */

/* The memory of the object itself, from its header to its end by tp_basicsize and
 * tp_itemsize. The words in front of it (the collector's, managed dict and weak
 * reference list) are not in it, and walkers show those that are slots. */
void gcr_extent(PyObject *object, char **start, char **end);

/* ---- checks ------------------------------------------------------------ */

/* Why an object may not be remapped at all; NULL when it may. */
const char *gcr_refusal_of_old(PyObject *old);

/* What one look tells of an object that is to be replaced. */
typedef struct gcr_old {
    size_t count;        /* of references to it */
    size_t weakrefs;     /* of all kinds: proxies, subclasses, with callback or not */
    const char *refusal; /* as above */
    uint8_t is_class;
    uint8_t is_text;           /* str or bytes */
    uint8_t hashes_by_address; /* its new too */
} gcr_old;

typedef struct gcr_pair {
    PyObject *old;
    PyObject *new_;
} gcr_pair;

/* `later` is a pair that will be looked at some calls from now. */
void gcr_look_at_old(gcr_pair pair, gcr_pair later, gcr_old *look);

/* Why a slot that holds `old` cannot take `new_`; NULL when it can, as for GCR_ANY. */
const char *gcr_accept_refusal(gcr_accepts accepts, PyObject *old, PyObject *new_);

/* The same for what the kind of holder forbids, whatever the slot; NULL for every holder
 * that is not particular. */
int gcr_is_particular(PyObject *holder);
const char *gcr_item_refusal(PyObject *holder, PyObject *old, PyObject *new_);

/* What an object of ctypes keeps alive because its memory has the address: it, or a dict
 * of such by keys that gcr_is_ctypes_key knows, and of further such dicts. Borrowed, NULL
 * if there is none. */
PyObject *gcr_ctypes_kept(PyObject *object);
int gcr_is_ctypes_key(PyObject *key);

/* The list of what a stream has yet to write, whose length it keeps apart: borrowed, NULL
 * if there is none; and whether `holder` may be one, with a part of it in `old`. */
PyObject *gcr_pending_list(PyObject *object);
int gcr_may_be_pending(PyObject *holder, PyObject *old);

/* Non-zero if the hash of `object` is computed from more than its address. */
int gcr_hash_depends(PyObject *object);

/* Non-zero for a dict, a list and the like. */
int gcr_is_unhashable(PyObject *object);

/* The namespace of a class (borrowed), static ones included; NULL if it has none yet. */
PyObject *gcr_type_namespace(PyObject *type);

/* Takes a class out of what its bases list as their subclasses, as far as these are heap
 * types. To set its bases anew puts it back, and takes over what they changed since.
 * 0, or -1 with MemoryError. */
int gcr_type_leave_bases(PyObject *type);

/* Non-zero for a descriptor that the class made for its own fields: it says so
 * of itself (__objclass__), and checks its instances by it. */
int gcr_is_part_of_class(PyObject *object, PyObject *class_);

/* The cell by which a function knows the class that it was defined in (super() and
 * __class__), borrowed, with what is in it (NULL if nothing is); NULL for a function that does
 * not ask, and for anything else. */
PyObject *gcr_class_cell(PyObject *function, PyObject **class_);

/* Whether a GCR_HASH_NODE of the holder is repaired with the dict that has the
 * same key: an OrderedDict's or an lru_cache's. */
int gcr_key_follows_table(PyObject *holder);

/* The object will be freed without its finalizer (__del__) being called. */
void gcr_hush(PyObject *object);

/* ---- functions that take over ------------------------------------------- */

/* Two function objects trade everything but identity, weak references and
 * counts. Returns 0, with nothing changed, for anything but two functions that
 * are called the usual way. Who watches functions is told. */
int gcr_swap_functions(PyObject *left, PyObject *right);

/* ---- frames and C stacks ------------------------------------------------ */

/* Every slot of every running frame of every thread: locals, cells, the
 * evaluation stack as far as it is precise, and the frame's own fields. All
 * referents are alive. Frames of suspended generators belong to the
 * generator's walker, those of executing ones are visited here. Takes scratch
 * memory from malloc, never from Python. */
int gcr_frames(gcr_slot_visitor visit, void *arg);

/* Calls `body` with a base for gcr_stack_words: what stands on the stack below it is
 * the engine's own. */
PyObject *gcr_call_with_base(PyObject *(*body)(void *arg, uintptr_t base), void *arg);

typedef void (*gcr_word_visitor)(uintptr_t word, void *arg);

/* Conservative: visits what may be an address from `low` to `high`, tags removed, of the
 * words on the C stack of any thread of this process, of the calling thread's from
 * `base` up to `ceiling` if that is not 0 but a base too, and of those uncounted in
 * running frames. Returns 0 where the stacks cannot be read. Reads /proc and takes
 * scratch memory from malloc. */
int gcr_stack_words(uintptr_t low, uintptr_t high, uintptr_t base, uintptr_t ceiling,
                    gcr_word_visitor visit, void *arg);

/* Visits the address at which each mapping begins that holds the stack of a thread.
 * Returns 0 unless one was found for each thread. */
int gcr_stacks(gcr_word_visitor visit, void *arg);

/* ---- interpreter state --------------------------------------------------- */

/* Every slot of the interpreter and thread states, and of static types, that
 * no holder shows. */
int gcr_roots(gcr_slot_visitor visit, void *arg);

/* ---- type repair ------------------------------------------------------ */

/* Each change has a prepare (may allocate, refuses by returning one static
 * sentence, leaves no exception, runs no Python code), a commit and an undo
 * (neither fails, allocates nor runs Python code), and a release. Nothing may run
 * Python code between prepare and commit, nor between commit and undo: watchers of
 * classes are held back meanwhile. */

/* Why instances of the class `old_class` cannot become instances of `new_class`,
 * or NULL: the rules of assignment to __class__. Instances may be classes. */
const char *gcr_class_refusal(PyObject *old_class, PyObject *new_class);

/* The shared keys of a class on their way to another. Plain data: may be moved. */
typedef struct gcr_keys_move {
    PyObject *new_class; /* borrowed */
    void *keys, *former;
} gcr_keys_move;

/* For classes of which gcr_class_refusal let pass. Non-zero if instances that change
 * from the one to the other keep their attribute values where they are, given the commit;
 * a class can take over from one other only. 0: gcr_set_class_prepare serves each. */
int gcr_keys_prepare(PyObject *old_class, PyObject *new_class, gcr_keys_move *move);
void gcr_keys_commit(gcr_keys_move *move);
/* Once for every prepare that did not say 0, whatever came of it. */
void gcr_keys_release(gcr_keys_move *move);

/* One instance on its way to another class. Plain data: may be moved. */
typedef struct gcr_class_move {
    void *values;
    int detached;
} gcr_class_move;

/* For an instance whose class gcr_class_refusal let pass. May make its __dict__. */
const char *gcr_set_class_prepare(PyObject *instance, gcr_class_move *move);
/* Stores ob_type. Moves no counts: the caller moves them as for any strong slot.
 * Comes after the stores to the instance's attribute slots: those addresses
 * are stale afterwards. `move` is NULL where the values stay. */
void gcr_set_class_commit(PyObject *instance, PyObject *new_class, gcr_class_move *move);
/* Once for every prepare that did not refuse, whatever came of it. */
void gcr_set_class_release(gcr_class_move *move);

/* Which classes get other bases: old ones keep theirs, what is below them follows, and
 * heirs change besides. `future_base` says, borrowed, what the base there will be. */
typedef struct gcr_rebase {
    PyObject *const *olds, *const *heirs;
    size_t old_count, heir_count;
    PyObject *(*future_base)(PyObject *type, intptr_t index, void *arg);
    void *arg;
} gcr_rebase;

/* Every class that changes, and all below, with their future bases, MRO and C slots, which
 * are no slots of the apply: the counts are moved here. */
typedef struct gcr_hierarchy gcr_hierarchy;
/* On refusal returns NULL; *culprit (owned, or NULL) is the class in the way. */
gcr_hierarchy *gcr_hierarchy_prepare(const gcr_rebase *rebase, const char **refusal,
                                     PyObject **culprit);
/* After the stores to namespaces: C slots are computed from them. */
void gcr_hierarchy_commit(gcr_hierarchy *hierarchy);
/* Drops counts, of old classes too: may run finalizers. Last. */
void gcr_hierarchy_release(gcr_hierarchy *hierarchy);
size_t gcr_hierarchy_size(const gcr_hierarchy *hierarchy);
/* Borrowed; *bases are its future ones before the commit, NULL if they stay. */
PyObject *gcr_hierarchy_class(const gcr_hierarchy *hierarchy, size_t index, PyObject **bases);

/* Whether instances of the two classes hash and compare by the same methods. */
int gcr_hashes_alike(PyObject *a, PyObject *b);

/* A value in the namespace of `type` changed, or what such a value (a property, a
 * classmethod, a staticmethod) refers to: drops its caches and a heap type's subclasses'. */
void gcr_type_modified(PyObject *type);
/* The value of a dunder name did: C slots of it and its subclasses, and whether it
 * is abstract. Idempotent; serves commit and undo. */
void gcr_type_slots_refresh(PyObject *type);
/* Code, defaults, keyword defaults, globals or closure of a function changed. */
void gcr_function_modified(PyObject *function);
/* A ContextVar keeps the value it gave last, without a count, for as long as the
 * thread's context has the same version (Python/context.c, PyContextVar_Get). */
void gcr_forget_context_values(void);
/* Drops all tier-2 code. May allocate; runs no Python code. Once, as last repair. */
void gcr_invalidate_specialised(void);

/* ---- watchers ----------------------------------------------------------
 *
 * C code that wants to know when a dict, a function or a class changes (3.12+, none
 * before). gcr_tell_ functions may run Python code; what a callback raises goes to
 * sys.unraisablehook, as in the interpreter. */

typedef enum gcr_dict_event {
    GCR_DICT_ADDED = 0,
    GCR_DICT_MODIFIED,
    GCR_DICT_DELETED, /* without a value */
} gcr_dict_event;

int gcr_dict_is_watched(PyObject *dict);
/* The dict in which values that stand in an instance are seen as well, borrowed; NULL if
 * there is none. Of an instance that has such values. */
PyObject *gcr_dict_of_values(PyObject *instance);
void gcr_tell_dict(PyObject *dict, gcr_dict_event event, PyObject *key, PyObject *value);

typedef enum gcr_function_field {
    GCR_FUNCTION_CODE = 0,
    GCR_FUNCTION_DEFAULTS,
    GCR_FUNCTION_KWDEFAULTS,
} gcr_function_field;

int gcr_functions_are_watched(void);
PyObject *gcr_function_part(PyObject *function, gcr_function_field field); /* borrowed */
void gcr_tell_function(PyObject *function, gcr_function_field field, PyObject *value);

int gcr_types_are_watched(void);
/* Who is told when the class changes: a set of bits, of none if nobody is, or if it has
 * not been looked at since it changed last. */
unsigned int gcr_type_watchers(PyObject *type);
/* Nobody is told, until the bits are given back; that returns whether they are owed it. */
void gcr_hold_back_type(PyObject *type);
int gcr_give_back_type(PyObject *type, unsigned int watchers);
void gcr_tell_type(PyObject *type);

#include "tables.h"

/* ---- context variables --------------------------------------------------- */

/* Whether the object is a node of a context's mapping: what it holds is placed by
 * the hash of variables and is replaced with the mapping. */
int gcr_is_context_node(PyObject *object);

typedef struct gcr_context_entry {
    PyObject *variable;
    PyObject *value;
} gcr_context_entry;

/* A new context that has these values; NULL without memory. Allocates, with the
 * collector off; runs no Python code. */
PyObject *gcr_context_of(const gcr_context_entry *entries, size_t count);
/* Two contexts swap their mappings. */
void gcr_context_swap(PyObject *a, PyObject *b);

/* ---- weak references ---------------------------------------------------
 *
 * Moving changes no counts and calls no callbacks; it resets the hash that a
 * reference has cached, so tables that hold it as a key must be rehashed
 * (gcr_caches_hash says which can be keys). The reference by which the bases of
 * a class know it as a subclass stays with it, or leaves a stand-in. */

typedef struct gcr_weakrefs gcr_weakrefs;

/* Collects the weak references to `from`: all if `only` is NULL, or those in
 * `only` (to undo: those that were moved), which must be in ascending order.
 * Returns NULL and sets *why: a static sentence if `to` cannot be weakly referenced, or NULL if out of memory. No
 * Python exception is set. `from` and `to` must stay alive. */
gcr_weakrefs *gcr_weakrefs_prepare(PyObject *from, PyObject *to, PyObject *const *only,
                                   size_t only_count, const char **why);

/* The commit: detach those of every pair, then attach those of every pair, so
 * that a swap moves each once and canonical references stay canonical. */
void gcr_weakrefs_detach(gcr_weakrefs *refs);
void gcr_weakrefs_attach(gcr_weakrefs *refs);

/* Borrowed: a caller that keeps them for an undo must own counts, since a weak
 * reference may die at any time. */
size_t gcr_weakrefs_length(const gcr_weakrefs *refs);
PyObject *gcr_weakrefs_item(const gcr_weakrefs *refs, size_t i);
void gcr_weakrefs_free(gcr_weakrefs *refs);

#endif
