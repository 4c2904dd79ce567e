/* Containers with an index of their own, and what they refer to besides. */
#include "known.h"

/* Objects/odictobject.c, _ODictNode and PyODictObject; the same from 3.11 to 3.15. */
typedef struct odict_node {
    PyObject *key;
    Py_hash_t hash;
    struct odict_node *next;
    struct odict_node *prev;
} odict_node;

typedef struct odict {
    PyDictObject dict;
    odict_node *first;
    odict_node *last;
    odict_node **fast_nodes;
    Py_ssize_t fast_nodes_size;
    void *resize_sentinel;
    size_t state;
    PyObject *inst_dict;
    PyObject *weakreflist;
} odict;

static int
walk_odict(PyObject *holder, gcr_walk_state *walk)
{
    odict *od = (odict *)holder;
    GCR_FIELD(od->inst_dict, GCR_EXACT_DICT, ".__dict__");
    Py_ssize_t i = 0;
    for (odict_node *node = od->first; node != NULL; node = node->next) {
        GCR_SHOW(.address = &node->key, .role = GCR_HASH_NODE, .name = "<key>", .index = i++,
                 .key = node->key);
    }
    return gcr_walk_dict(holder, walk);
}

/* More fields than the length says; the class knows how many (Objects/structseq.c). */
static int
walk_structseq(PyObject *holder, gcr_walk_state *walk)
{
    static PyObject *name;
    if (name == NULL && (name = PyUnicode_InternFromString("n_fields")) == NULL) {
        PyErr_Clear();
        return 0;
    }
    PyObject *dict = gcr_type_dict(Py_TYPE(holder));
    PyObject *fields = dict == NULL ? NULL : PyDict_GetItemWithError(dict, name);
    Py_ssize_t length = fields == NULL ? Py_SIZE(holder) : PyLong_AsSsize_t(fields);
    PyObject **items = ((PyTupleObject *)holder)->ob_item;
    for (Py_ssize_t i = 0; i < length; i++) {
        GCR_SHOW(.address = &items[i], .name = "[]", .index = i);
    }
    return 0;
}

const gcr_known gcr_known_containers[] = {
    {"(_collections.deque([a] * 100 + [b] * 100), a, b)", .walk = gcr_walk_deque},
    {"(x := _collections.OrderedDict({a: b, text: c}), a, b, c, x.__dict__)", .walk = walk_odict},
    {"(_collections.defaultdict(function, {a: b}), function)", .walk = gcr_walk_dict,
     .fields = {{".default_factory"}}},
    {"(frozendict({a: b}), a, b)", .walk = gcr_walk_dict},
    {"(x := __import__('posix').stat('/'), x.st_atime, x.st_atime_ns)", .walk = walk_structseq},
    {0},
};
