/* What the full pass sees of one object, and of a row of them.
 *
 * It is bound by memory latency, not by work, so that the order of loads is what counts:
 * what an object keeps elsewhere is asked for some objects before it is looked at.
 * Referents are compared by address; none is touched. */
#ifndef GCREMAP_LOOK_H
#define GCREMAP_LOOK_H

#include "compat_tables.h"
#include "walk.h"

/* In the loop over all objects: gcc would rather not have it there three times. */
#define GCR_HOT static inline __attribute__((always_inline))

/* Whether there are hashes in the table that may change: those of exact str, which
 * is all that DK_IS_UNICODE allows, do not. */
static inline int
stores_hashes(PyObject *object)
{
    if (gcr_is_dict(object)) {
        PyDictObject *dict = (PyDictObject *)object;
        if (dict->ma_used != 0 && !DK_IS_UNICODE(dict->ma_keys)) {
            return 1;
        }
    }
    else if (PyAnySet_Check(object) && ((PySetObject *)object)->used != 0) {
        return 1;
    }
    return gcr_caches_hash(object);
}

/* What an instance of the type may be at most. */
static inline gcr_nature
nature_of_instances(PyTypeObject *type)
{
    if (type->tp_flags & Py_TPFLAGS_TYPE_SUBCLASS) {
        return GCR_IS_TYPE;
    }
    if (type == &PyModule_Type) {
        return GCR_IS_MODULE;
    }
    return gcr_instances_store_hashes(type) ? GCR_STORES_HASHES : GCR_NOTHING_ELSE;
}

/* Slots at equal distances, some of them NULL. */
typedef struct span {
    PyObject **first;
    size_t step; /* in words */
    size_t count;
} span;

/* The slots that tp_traverse of an exact dict shows: its values, and its keys unless
 * they are all str. Returns how many spans that is. */
static inline int
dict_spans(PyObject *object, span spans[2])
{
    PyDictObject *dict = (PyDictObject *)object;
    PyDictKeysObject *keys = dict->ma_keys;
    size_t count = (size_t)keys->dk_nentries;
    if (dict->ma_values != NULL) {
        spans[0] = (span){dict->ma_values->values, 1, count};
        return 1;
    }
    if (DK_IS_UNICODE(keys)) {
        spans[0] = (span){&DK_UNICODE_ENTRIES(keys)->me_value,
                          sizeof(PyDictUnicodeEntry) / sizeof(PyObject *), count};
        return 1;
    }
    const size_t step = sizeof(PyDictKeyEntry) / sizeof(PyObject *);
    spans[0] = (span){&DK_ENTRIES(keys)->me_value, step, count};
    spans[1] = (span){&DK_ENTRIES(keys)->me_key, step, count};
    return 2;
}

/* ---- what the pass knows of a type --------------------------------------- */

/* How the referents of its instances are found. */
typedef enum form {
    TRAVERSED, /* by tp_traverse */
    LEFT,      /* not at all: this looker may not call that tp_traverse */
    LIST,
    TUPLE,
    DICT,
    INSTANCE, /* of a class statement's class without __slots__ or C-defined part */
} form;

typedef struct shape {
    PyTypeObject *type;
    uint8_t form;
    uint8_t nature;
    uint8_t class_passes; /* the class itself passes the sieve: an INSTANCE refers to it */
} shape;

/* Some of the objects of a list, in the order in which they were met, and which of them
 * are more than GCR_NO_REFERENT and GCR_NOTHING_ELSE. */
enum { GCR_SEGMENT = 1024 };

typedef struct gcr_found {
    uint16_t at; /* index in objects */
    uint8_t nature;
    uint8_t hit;
    uint8_t is_left;
} gcr_found;

typedef struct gcr_segment {
    size_t count;
    size_t found_count;
    PyObject *objects[GCR_SEGMENT];
    gcr_found found[GCR_SEGMENT];
} gcr_segment;

enum {
    SHAPES = 256, /* types met last, by address: a heap has few types for its objects */
    AHEAD = 16,   /* objects between the request for memory and its use; a power of two */
};

typedef struct gcr_looker {
    gcr_sieve sieve;
    int has_thread_state; /* may call any tp_traverse */
    shape ahead[AHEAD];
    shape shapes[SHAPES];
    uintptr_t last[SHAPES]; /* the object of that shape that was taken in last */
} gcr_looker;

static inline int
any_passes(const gcr_sieve *sieve, span span)
{
    for (size_t i = 0; i < span.count; i++) {
        if (gcr_passes(sieve, span.first[i * span.step])) {
            return 1;
        }
    }
    return 0;
}

/* Whether tp_traverse of the type reads fields and nothing else. Those of extensions may
 * ask which thread it is (as PyO3's do). */
static inline int
is_traversed_anywhere(PyTypeObject *type)
{
    if (type == &PyFunction_Type || type == &PyCell_Type || type == &PyMethod_Type
        || type == &PySet_Type || type == &PyFrozenSet_Type) {
        return 1;
    }
    return gcr_c_base(type) == &PyBaseObject_Type;
}

static inline shape
new_shape(const gcr_looker *looker, PyTypeObject *type)
{
    form found = type == &PyList_Type                                        ? LIST
                 : type == &PyTuple_Type                                     ? TUPLE
                 : type == &PyDict_Type                                      ? DICT
                 : gcr_is_plain_class(type)                                  ? INSTANCE
                 : looker->has_thread_state || is_traversed_anywhere(type) ? TRAVERSED
                                                                             : LEFT;
    return (shape){type, (uint8_t)found, (uint8_t)nature_of_instances(type),
                   (uint8_t)(found == INSTANCE && gcr_passes(&looker->sieve, (PyObject *)type))};
}

static inline size_t
place_of(PyTypeObject *type)
{
    return ((uintptr_t)type >> 4) % SHAPES;
}

static inline shape
shape_of(gcr_looker *looker, PyTypeObject *type)
{
    shape *cached = &looker->shapes[place_of(type)];
    if (cached->type != type) {
        *cached = new_shape(looker, type);
    }
    return *cached;
}

/* ---- one object ------------------------------------------------------------ */

typedef struct seen {
    gcr_nature nature;
    gcr_hit hit;
    int is_left; /* not known: the object was not looked into */
} seen;

static inline int
is_something(seen seen)
{
    return seen.hit != GCR_NO_REFERENT || seen.nature != GCR_NOTHING_ELSE || seen.is_left;
}

static int
passes_visitor(PyObject *referent, void *sieve)
{
    return gcr_passes(sieve, referent);
}

static inline int
instance_passes(const gcr_sieve *sieve, PyObject *object, PyTypeObject *type)
{
    if (!(type->tp_flags & Py_TPFLAGS_MANAGED_DICT)) {
        return 0;
    }
    /* Once there is a dict, some versions show it, some the values, some both. */
    PyDictValues *values = gcr_instance_values(object);
    PyDictKeysObject *keys = ((PyHeapTypeObject *)type)->ht_cached_keys;
    if (values != NULL && keys != NULL
        && any_passes(sieve, (span){values->values, 1, (size_t)keys->dk_nentries})) {
        return 1;
    }
    PyObject **dict = gcr_managed_dict(object);
    return dict != NULL && gcr_passes(sieve, *dict);
}

GCR_HOT seen
look(const gcr_looker *looker, PyObject *object, shape shape)
{
    const gcr_sieve *sieve = &looker->sieve;
    span spans[2];
    int may_hold = 0;
    gcr_nature nature = (gcr_nature)shape.nature;
    switch ((form)shape.form) {
    case LIST:
        may_hold = any_passes(
            sieve, (span){((PyListObject *)object)->ob_item, 1, (size_t)Py_SIZE(object)});
        break;
    case TUPLE:
        may_hold = any_passes(
            sieve, (span){((PyTupleObject *)object)->ob_item, 1, (size_t)Py_SIZE(object)});
        if (!gcr_tuple_stores_hash(object)) {
            nature = GCR_NOTHING_ELSE;
        }
        break;
    case DICT:
        if (dict_spans(object, spans) == 1) {
            may_hold = any_passes(sieve, spans[0]);
            nature = GCR_NOTHING_ELSE; /* its keys are all str */
        }
        else {
            may_hold = any_passes(sieve, spans[0]) || any_passes(sieve, spans[1]);
        }
        break;
    case INSTANCE:
        may_hold = instance_passes(sieve, object, shape.type);
        break;
    case TRAVERSED:
        may_hold = gcr_traverse(object, passes_visitor, (void *)sieve);
        break;
    case LEFT:
        return (seen){.is_left = 1};
    }
    if (nature == GCR_STORES_HASHES && !stores_hashes(object)) {
        nature = GCR_NOTHING_ELSE;
    }
    gcr_hit hit = may_hold             ? GCR_SOME_REFERENT
                  : shape.class_passes ? GCR_ITS_CLASS
                                       : GCR_NO_REFERENT;
    return (seen){nature, hit, 0};
}

/* Asks for the memory that `look` will read. */
static inline void
prefetch(PyObject *object, shape shape)
{
    switch ((form)shape.form) {
    case LIST:
        __builtin_prefetch(((PyListObject *)object)->ob_item);
        break;
    case DICT:
        __builtin_prefetch(((PyDictObject *)object)->ma_keys);
        __builtin_prefetch((char *)((PyDictObject *)object)->ma_keys + 64);
        break;
    case INSTANCE:
        if (shape.type->tp_flags & Py_TPFLAGS_MANAGED_DICT) {
            __builtin_prefetch(gcr_instance_values(object));
        }
        break;
    case TUPLE:
    case TRAVERSED:
    case LEFT:
        break;
    }
}

/* ---- a row of objects -------------------------------------------------------- */

static inline void
begin_segment(gcr_segment *segment)
{
    segment->count = 0;
    segment->found_count = 0;
}

/* What is done with something that was seen, of the object at that index. */
typedef void (*seen_visitor)(gcr_segment *segment, size_t at, seen seen, void *arg);

static inline void
write_down(gcr_segment *segment, size_t at, seen seen, void *arg)
{
    (void)arg;
    segment->found[segment->found_count++] = (gcr_found){
        (uint16_t)at, (uint8_t)seen.nature, (uint8_t)seen.hit, (uint8_t)seen.is_left};
}

GCR_HOT void
look_at(const gcr_looker *looker, gcr_segment *segment, size_t at, seen_visitor visit, void *arg)
{
    seen seen = look(looker, segment->objects[at], looker->ahead[at % AHEAD]);
    if (is_something(seen)) {
        visit(segment, at, seen, arg);
    }
}


/* Takes one more object in, and looks at the one that was taken in AHEAD ago. */
GCR_HOT void
take(gcr_looker *looker, gcr_segment *segment, PyObject *object, seen_visitor visit, void *arg)
{
    shape shape = shape_of(looker, Py_TYPE(object));
    size_t at = segment->count++;
    segment->objects[at] = object;
    uintptr_t *last = &looker->last[place_of(shape.type)];
    uintptr_t step = (uintptr_t)object - *last;
    *last = (uintptr_t)object;
    if (step + 1024 <= 2048) {
        __builtin_prefetch((char *)object + 8 * step - sizeof(PyGC_Head));
    }
    prefetch(object, shape);
    if (at >= AHEAD) {
        look_at(looker, segment, at - AHEAD, visit, arg);
    }
    looker->ahead[at % AHEAD] = shape;
}

/* Looks at the last ones. */
static void
end_segment(const gcr_looker *looker, gcr_segment *segment, seen_visitor visit, void *arg)
{
    size_t at = segment->count < AHEAD ? 0 : segment->count - AHEAD;
    while (at < segment->count) {
        look_at(looker, segment, at++, visit, arg);
    }
}

#endif
