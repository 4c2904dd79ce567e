/* The full pass over the heap: which objects may refer to an old, and what else a
 * remap must know of each.
 *
 * It is bound by memory latency, not by work, so that the order of loads is what
 * counts: the collector's lists are followed from both ends at once, which makes two
 * chains of dependent loads instead of one, and what an object keeps elsewhere is
 * asked for some objects before it is looked at. Referents are compared by address;
 * none is touched. */
#include "compat_tables.h"
#include "gc_lists.h"
#include "walk.h"

/* Whether there are hashes in the table that may change: those of exact str, which
 * is all that DK_IS_UNICODE allows, do not. */
static int
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
static gcr_nature
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

gcr_nature
gcr_nature_of(PyObject *object)
{
    gcr_nature nature = nature_of_instances(Py_TYPE(object));
    if (nature == GCR_STORES_HASHES && !stores_hashes(object)) {
        return GCR_NOTHING_ELSE;
    }
    return nature;
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

enum {
    SHAPES = 256, /* types met last, by address: a heap has few types for its objects */
    AHEAD = 16,   /* objects between the request for memory and its use; a power of two */
};

typedef struct scan {
    gcr_sieve sieve;
    gcr_scan_visitor visit;
    void *arg;
    size_t count;
    struct {
        PyObject *object;
        shape shape;
    } ahead[AHEAD];
    shape shapes[SHAPES];
} scan;

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

static shape
new_shape(const scan *scan, PyTypeObject *type)
{
    form found = type == &PyList_Type       ? LIST
                 : type == &PyTuple_Type    ? TUPLE
                 : type == &PyDict_Type     ? DICT
                 : gcr_is_plain_class(type) ? INSTANCE
                                            : TRAVERSED;
    return (shape){type, (uint8_t)found, (uint8_t)nature_of_instances(type),
                   (uint8_t)(found == INSTANCE && gcr_passes(&scan->sieve, (PyObject *)type))};
}

/* ---- one object ------------------------------------------------------------ */

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

static inline void
look(scan *scan, PyObject *object, shape shape)
{
    const gcr_sieve *sieve = &scan->sieve;
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
    }
    if (nature == GCR_STORES_HASHES && !stores_hashes(object)) {
        nature = GCR_NOTHING_ELSE;
    }
    gcr_hit hit = may_hold             ? GCR_SOME_REFERENT
                  : shape.class_passes ? GCR_ITS_CLASS
                                       : GCR_NO_REFERENT;
    if (hit != GCR_NO_REFERENT || nature != GCR_NOTHING_ELSE) {
        scan->visit(object, nature, hit, scan->arg);
    }
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
        break;
    }
}

/* Takes one more object in, and looks at the one that was taken in AHEAD ago. */
static inline void
take(scan *scan, PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    shape *cached = &scan->shapes[((uintptr_t)type >> 4) % SHAPES];
    if (cached->type != type) {
        *cached = new_shape(scan, type);
    }
    size_t at = scan->count++ % AHEAD;
    PyObject *earlier = scan->ahead[at].object;
    shape earlier_shape = scan->ahead[at].shape;
    scan->ahead[at].object = object;
    scan->ahead[at].shape = *cached;
    prefetch(object, *cached);
    if (earlier != NULL) {
        look(scan, earlier, earlier_shape);
    }
}

/* ---- all objects ------------------------------------------------------------- */

static void
scan_list(scan *scan, PyGC_Head *head)
{
    PyGC_Head *front = gcr_list_next(head);
    PyGC_Head *back = _PyGCHead_PREV(head);
    while (front != head) {
        take(scan, (PyObject *)(front + 1));
        if (front == back) {
            return;
        }
        take(scan, (PyObject *)(back + 1));
        front = gcr_list_next(front);
        if (front == back) {
            return;
        }
        back = _PyGCHead_PREV(back);
    }
}

static int
take_visited(PyObject *object, void *arg)
{
    take(arg, object);
    return 0;
}

static void
scan_heap(scan *scan)
{
    PyGC_Head *heads[GCR_LISTS];
    if (!gcr_list_heads(heads)) {
        gcr_heap(take_visited, scan);
        return;
    }
    for (int i = 0; i < GCR_LISTS; i++) {
        scan_list(scan, heads[i]);
    }
}

size_t
gcr_scan(const gcr_sieve *sieve, gcr_scan_visitor visit, void *arg)
{
    scan scan = {.sieve = *sieve, .visit = visit, .arg = arg};
    scan_heap(&scan);
    for (size_t i = 0; i < AHEAD; i++) {
        if (scan.ahead[i].object != NULL) {
            look(&scan, scan.ahead[i].object, scan.ahead[i].shape);
        }
    }
    return scan.count;
}
