/* What keeps keys by their hash in structures of its own: lru_cache and contexts. */
#include "known.h"

#include "internal/pycore_context.h"
#include "internal/pycore_hamt.h"

/* Modules/_functoolsmodule.c, lru_list_elem; the same from 3.11 to 3.15. The cache
 * itself begins with the first of the ring. The dict and the ring own the links. */
typedef struct lru_link {
    PyObject_HEAD
    struct lru_link *prev, *next;
    Py_hash_t hash;
    PyObject *key, *result;
} lru_link;

static int
walk_lru_cache(PyObject *holder, gcr_walk_state *walk)
{
    lru_link *root = (lru_link *)holder;
    for (lru_link *link = root->next; link != root; link = link->next) {
        GCR_SHOW(.address = &link->key, .role = GCR_HASH_NODE, .name = "<key>", .key = link->key);
        GCR_SHOW(.address = &link->result, .name = "<result>", .key = link->key);
        GCR_SHOW(.address = (PyObject **)&link->ob_base.ob_type, .role = GCR_OB_TYPE,
                 .accepts = GCR_NOTHING, .name = "<link>.__class__");
    }
    return 0;
}

int
gcr_is_lru_cache(PyObject *object)
{
    const gcr_walker_entry *entry = gcr_walker_find(Py_TYPE(object));
    return entry != NULL && entry->walk == walk_lru_cache;
}

static int
walk_context(PyObject *holder, gcr_walk_state *walk)
{
    PyContext *context = (PyContext *)holder;
    GCR_FIELD(context->ctx_prev, GCR_NOTHING, "<context entered from>");
    GCR_FIELD(context->ctx_vars, GCR_NOTHING, "<variables>");
    return 0;
}

static int
walk_context_var(PyObject *holder, gcr_walk_state *walk)
{
    PyContextVar *var = (PyContextVar *)holder;
    GCR_FIELD(var->var_name, GCR_STR, ".name");
    GCR_FIELD(var->var_default, GCR_ANY, "<default>");
    return 0;
}

static int
walk_token(PyObject *holder, gcr_walk_state *walk)
{
    PyContextToken *token = (PyContextToken *)holder;
    GCR_FIELD(token->tok_ctx, GCR_SAME_LAYOUT, "<context>");
    GCR_FIELD(token->tok_var, GCR_SAME_LAYOUT, ".var");
    GCR_FIELD(token->tok_oldval, GCR_ANY, ".old_value");
    return 0;
}

static int
walk_hamt(PyObject *holder, gcr_walk_state *walk)
{
    GCR_FIELD(((PyHamtObject *)holder)->h_root, GCR_NOTHING, "<root>");
    return 0;
}

/* Python/hamt.c, PyHamtNode_Bitmap: pairs of key and value, or of NULL and a node.
 * A variable's place follows from its hash, which it was given for life. */
typedef struct hamt_bitmap {
    PyObject_VAR_HEAD
    uint32_t bitmap;
    PyObject *items[];
} hamt_bitmap;

static int
walk_hamt_bitmap(PyObject *holder, gcr_walk_state *walk)
{
    hamt_bitmap *node = (hamt_bitmap *)holder;
    for (Py_ssize_t i = 0; i + 1 < Py_SIZE(node); i += 2) {
        PyObject *key = node->items[i];
        GCR_SHOW(.address = &node->items[i], .role = GCR_HASH_NODE, .name = "<key>", .key = key);
        GCR_SHOW(.address = &node->items[i + 1], .accepts = key == NULL ? GCR_NOTHING : GCR_ANY,
                 .name = key == NULL ? "<node>" : "[key]", .key = key);
    }
    return 0;
}

/* The same file, PyHamtNode_Array. */
typedef struct hamt_array {
    PyObject_HEAD
    PyObject *nodes[32];
    Py_ssize_t count;
} hamt_array;

static int
walk_hamt_array(PyObject *holder, gcr_walk_state *walk)
{
    hamt_array *array = (hamt_array *)holder;
    for (size_t i = 0; i < Py_ARRAY_LENGTH(array->nodes); i++) {
        GCR_FIELD(array->nodes[i], GCR_NOTHING, "<node>");
    }
    return 0;
}

/* A HAMT of a hundred variables has an array at its root (from 16 children on). */
const gcr_known gcr_known_caches[] = {
    {"(x := cached(), function,"
     " [r for r in gc.get_referents(x) if type(r) is dict and r is not x.__dict__][0],"
     " of(x, object), Thing,"
     " [r for r in gc.get_referents(x) if getattr(r, '__name__', '') == '_lru_list_elem'][0],"
     " x.__dict__)",
     .walk = walk_lru_cache,
     .fields = {{".__wrapped__"}, {"<cache>", GCR_NOTHING}, {"<mark>", GCR_NOTHING},
                {"<type of .cache_info()>"}, {"<type of links>", GCR_NOTHING},
                {".__dict__", GCR_EXACT_DICT}}},
    {"(x := context(1), gc.get_referents(x)[0])", .walk = walk_context},
    {"(_contextvars.ContextVar(text, default=a), text, a)", .walk = walk_context_var},
    {"[(x.run(y.set, c), x, y, b) for x in [context(1)] for y in [_contextvars.ContextVar(text)]"
     " if x.run(y.set, b)]",
     .walk = walk_token},
    {"(x := gc.get_referents(context(1))[0], gc.get_referents(x)[0])", .walk = walk_hamt},
    {"(gc.get_referents(gc.get_referents(context(1))[0])[0], a)", .walk = walk_hamt_bitmap},
    {"(gc.get_referents(gc.get_referents(context(100))[0])[0],)", .walk = walk_hamt_array},
    {0},
};
