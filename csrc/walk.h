/* What walkers share: how a slot is shown. Private to csrc/. */
#ifndef GCREMAP_WALK_H
#define GCREMAP_WALK_H

#include "compat.h"

typedef struct gcr_walk_state {
    gcr_slot_visitor visit;
    void *arg;
    const gcr_sieve *sieve; /* NULL: all slots are asked for */
} gcr_walk_state;

typedef int (*gcr_walker)(PyObject *holder, gcr_walk_state *walk);

static inline int
gcr_passes(const gcr_sieve *sieve, PyObject *referent)
{
    uintptr_t address = (uintptr_t)referent;
    if (address - sieve->low > sieve->span) {
        return 0;
    }
    uint64_t bit = gcr_sieve_bit(address, sieve->shift);
    return sieve->bits[bit / 64] >> (bit % 64) & 1;
}

/* Whether a word of any kind of slot may be asked for: its tags are below the
 * alignment of objects. */
static inline int
gcr_is_asked_for(const gcr_walk_state *walk, PyObject *word)
{
    PyObject *referent = (PyObject *)((uintptr_t)word & ~(uintptr_t)7);
    return word != NULL && (walk->sieve == NULL || gcr_passes(walk->sieve, referent));
}

/* The body of a loop over many slots begins with it: no slot is written down for
 * nothing. */
#define GCR_SKIP_UNLESS_ASKED(word)                                                              \
    if (!gcr_is_asked_for(walk, (word))) {                                                       \
        continue;                                                                                \
    }

/* Shows one slot, unless it is NULL or this version has none. */
static inline int
gcr_show(gcr_walk_state *walk, const gcr_slot *slot)
{
    return slot->address == NULL || !gcr_is_asked_for(walk, *slot->address)
               ? 0
               : walk->visit(slot, walk->arg);
}

/* The body of a walker reads as a list of its slots. */
#define GCR_SHOW(...)                                                                            \
    do {                                                                                         \
        int result_ = gcr_show(walk, &(gcr_slot){__VA_ARGS__});                                  \
        if (result_ != 0) {                                                                      \
            return result_;                                                                      \
        }                                                                                        \
    } while (0)

#define GCR_FIELD(field, takes, label)                                                           \
    GCR_SHOW(.address = (PyObject **)&(field), .accepts = (takes), .name = (label))

#define GCR_HIDDEN_FIELD(field, takes, label)                                                    \
    GCR_SHOW(.address = (PyObject **)&(field), .accepts = (takes), .name = (label),              \
             .flags = GCR_HIDDEN)

int gcr_walk_list(PyObject *holder, gcr_walk_state *walk);
int gcr_walk_tuple(PyObject *holder, gcr_walk_state *walk);
int gcr_walk_dict(PyObject *holder, gcr_walk_state *walk);
int gcr_walk_set(PyObject *holder, gcr_walk_state *walk);
int gcr_walk_cell(PyObject *holder, gcr_walk_state *walk);
int gcr_walk_function(PyObject *holder, gcr_walk_state *walk);
int gcr_walk_method(PyObject *holder, gcr_walk_state *walk);
int gcr_walk_generator(PyObject *holder, gcr_walk_state *walk);
int gcr_walk_builtin(PyObject *holder, gcr_walk_state *walk);
int gcr_walk_descriptor(PyObject *holder, gcr_walk_state *walk);
int gcr_walk_module(PyObject *holder, gcr_walk_state *walk);
int gcr_walk_code(PyObject *holder, gcr_walk_state *walk);
int gcr_walk_type(PyObject *holder, gcr_walk_state *walk);
int gcr_walk_weakref(PyObject *holder, gcr_walk_state *walk);
int gcr_walk_deque(PyObject *holder, gcr_walk_state *walk);
int gcr_walk_numpy(PyObject *holder, gcr_walk_state *walk);

/* The words of a frame that does not run. */
int gcr_walk_frame_words(gcr_frame *frame, gcr_walk_state *walk);

/* The attributes that an instance keeps in front of or behind itself. */
int gcr_walk_managed_dict(PyObject *holder, gcr_walk_state *walk);

/* The slots that a class statement adds: __slots__, the attribute values, the
 * dict, the class. `*base` is where the C-defined part of the instance begins. */
int gcr_walk_instance(PyObject *holder, gcr_walk_state *walk, PyTypeObject **base);

/* How many weak references to the object there are, of all kinds. */
size_t gcr_weakref_count(PyObject *object);

/* Whether the object is a wrapper that lru_cache made. */
int gcr_is_lru_cache(PyObject *object);

/* Whether instances of exactly this type refer to nothing but their type. */
int gcr_type_is_leaf(PyTypeObject *type);

/* Whether a class statement made all of the type, and all that its instances have is a
 * managed dict, or nothing. */
int gcr_is_plain_class(PyTypeObject *type);

/* Whether a class statement (or a call of type) made the type. */
int gcr_is_python_class(PyTypeObject *type);

/* tp_traverse of classes made by a class statement. */
extern traverseproc gcr_subtype_traverse;
extern destructor gcr_subtype_dealloc;

/* The nearest base with a tp_traverse of its own, or none: what class statements have
 * added to is behind. */
static inline PyTypeObject *
gcr_c_base(PyTypeObject *type)
{
    while (type->tp_traverse == gcr_subtype_traverse) {
        type = type->tp_base;
    }
    return type;
}

/* Why the layouts compiled in are not those of this interpreter, or NULL: by what it
 * says of itself, then by objects made for the purpose, which walkers must be ready
 * for. Either runs Python code. */
const char *gcr_layout_refusal_of_runtime(void);
const char *gcr_layout_refusal_of_samples(void);

/* The sentence that says that the layout of `what` differs (static storage). */
const char *gcr_layout_differs(const char *what);

/* Learns what CPython does not export (its slot table). Once, at import; may
 * allocate. Returns NULL or why this interpreter cannot be used. */
const char *gcr_types_init(void);
const char *gcr_watchers_init(void);
const char *gcr_text_io_init(void);
void gcr_lists_init(void);

/* The namespace (owned) in which `source` was run; NULL with an exception when it
 * failed. */
PyObject *gcr_run_samples(const char *source);

/* Gives it up. Functions refer to their namespace: as garbage for the collector, samples
 * would keep the frames alive that called for them. */
void gcr_drop_samples(PyObject *namespace);

/* What one of them makes: PyRun_String, with an exception whenever it fails. */
PyObject *gcr_run_sample(const char *source, int start, PyObject *namespace);

#endif
