/* Hash repair beyond dicts and sets: what keeps a hash of its own. */
#include "rehash.h"

/* ---- OrderedDict -------------------------------------------------------- */

/* Objects/odictobject.c, _ODictNode and PyODictObject; the same from 3.11 to
 * 3.15. A node owns one count of its key. */
typedef struct gcr_odict_node {
    PyObject *key;
    Py_hash_t hash;
    struct gcr_odict_node *next;
    struct gcr_odict_node *prev;
} odict_node;

typedef struct odict {
    PyDictObject dict;
    odict_node *first;
    odict_node *last;
    odict_node **fast_nodes; /* by position of the dict's entry */
    Py_ssize_t fast_nodes_size;
    void *resize_sentinel; /* the dict's keys that fast_nodes is for */
    size_t state;
    PyObject *inst_dict;
    PyObject *weakreflist;
} odict;

/* Otherwise CPython builds fast_nodes anew at the next access by key. */
static int
fast_nodes_current(const odict *od)
{
    return od->fast_nodes != NULL && od->resize_sentinel == od->dict.ma_keys
           && od->fast_nodes_size == DK_SIZE(od->dict.ma_keys);
}

static odict_node *
find_node(const odict *od, Py_ssize_t entry, PyObject *key)
{
    if (fast_nodes_current(od)) {
        return od->fast_nodes[entry];
    }
    odict_node *node = od->first;
    while (node != NULL && node->key != key) {
        node = node->next;
    }
    return node;
}

int
gcr_odict_prepare(gcr_rehash *rehash)
{
    for (size_t i = 0; i < rehash->count; i++) {
        if (rehash->edits[i].kind != GCR_EDIT_RESTORE) {
            continue;
        }
        /* CPython frees it with the entry. */
        odict_node *node = PyMem_Malloc(sizeof(odict_node));
        if (node == NULL) {
            return -1;
        }
        node->next = rehash->nodes;
        rehash->nodes = node;
    }
    return 0;
}

void
gcr_odict_free(gcr_rehash *rehash)
{
    while (rehash->nodes != NULL) {
        odict_node *node = rehash->nodes;
        rehash->nodes = node->next;
        PyMem_Free(node);
    }
}

void
gcr_odict_table_replaced(PyDictObject *dict, PyDictKeysObject *old)
{
    odict *od = (odict *)dict;
    if (od->resize_sentinel == old) {
        od->resize_sentinel = dict->ma_keys;
    }
}

void
gcr_odict_rehash(PyDictObject *dict, Py_ssize_t entry, PyObject *key, Py_hash_t hash)
{
    odict_node *node = find_node((odict *)dict, entry, key);
    if (node != NULL) {
        node->hash = hash;
    }
}

void
gcr_odict_drop(PyDictObject *dict, Py_ssize_t entry, PyObject *key)
{
    odict *od = (odict *)dict;
    odict_node *node = find_node(od, entry, key);
    if (node == NULL) {
        return;
    }
    if (fast_nodes_current(od)) {
        od->fast_nodes[entry] = NULL;
    }
    *(node->prev != NULL ? &node->prev->next : &od->first) = node->next;
    *(node->next != NULL ? &node->next->prev : &od->last) = node->prev;
    /* Not the last count: the entry's own goes to the caller. */
    Py_DECREF(node->key);
    PyMem_Free(node);
}

void
gcr_odict_restore(gcr_rehash *rehash, Py_ssize_t entry, PyObject *key, Py_hash_t hash)
{
    odict *od = (odict *)rehash->table;
    odict_node *node = rehash->nodes, *before = NULL;
    rehash->nodes = node->next;
    /* Behind its neighbour in the dict: where it stood before move_to_end(). */
    for (Py_ssize_t i = entry - 1; i >= 0 && before == NULL; i--) {
        PyObject *neighbour;
        if (gcr_table_entry(rehash->table, i, &neighbour, NULL, NULL, NULL)) {
            before = find_node(od, i, neighbour);
        }
    }
    node->key = Py_NewRef(key);
    node->hash = hash;
    node->prev = before;
    node->next = before != NULL ? before->next : od->first;
    *(node->prev != NULL ? &node->prev->next : &od->first) = node;
    *(node->next != NULL ? &node->next->prev : &od->last) = node;
    if (fast_nodes_current(od)) {
        od->fast_nodes[entry] = node;
    }
}

/* ---- lru_cache ---------------------------------------------------------- */

/* Modules/_functoolsmodule.c, lru_list_elem; the same from 3.11 to 3.15. The
 * values of an lru_cache's dict, in a ring in order of use that owns a count of each. */
typedef struct lru_link {
    PyObject_HEAD
    struct lru_link *prev, *next;
    Py_hash_t hash;
    PyObject *key, *result;
} lru_link;

int
gcr_is_lru_link(PyObject *object)
{
    /* The type has no name in the module and no instance that could be had
     * without a cache, so it goes by what it says of itself. */
    PyTypeObject *type = Py_TYPE(object);
    return type->tp_basicsize == sizeof(lru_link)
           && strcmp(type->tp_name, "functools._lru_list_elem") == 0;
}

void
gcr_lru_link_rehash(PyObject *link, Py_hash_t hash)
{
    ((lru_link *)link)->hash = hash;
}

void
gcr_lru_link_unlink(PyObject *object)
{
    lru_link *link = (lru_link *)object;
    /* A cache without bound keeps results themselves, one with a bound has
     * every link in the ring. */
    link->prev->next = link->next;
    link->next->prev = link->prev;
    /* Not the last count: the entry's own goes to the caller. */
    Py_DECREF(object);
}

void
gcr_lru_link_link(PyObject *object, PyObject *successor)
{
    lru_link *link = (lru_link *)object, *next = (lru_link *)successor;
    link->prev = next->prev;
    link->next = next;
    next->prev->next = link;
    next->prev = link;
    Py_INCREF(object);
}

/* ---- cached hashes ------------------------------------------------------ */

/* Where the object stores its hash, -1 there meaning none; NULL if it stores
 * none that depends on what it refers to. (str, bytes and datetime objects
 * cache a hash of their own bytes, which no remap changes; a datetime's tzinfo
 * does enter its hash, through utcoffset().) */
static Py_hash_t *
cached_hash(PyObject *object)
{
    if (PyFrozenSet_Check(object)) {
        return &((PySetObject *)object)->hash;
    }
    if (PyWeakref_Check(object)) {
        return &((PyWeakReference *)object)->hash;
    }
    return gcr_cached_hash(object);
}

void
gcr_remember_hash(PyObject *key, Py_hash_t hash)
{
    if (PyWeakref_Check(key) && Py_TYPE(key)->tp_hash == _PyWeakref_RefType.tp_hash) {
        ((PyWeakReference *)key)->hash = hash;
    }
}

int
gcr_caches_hash(PyObject *object)
{
    Py_hash_t *hash = cached_hash(object);
    return hash != NULL && *hash != -1;
}

void
gcr_forget_hash(PyObject *object)
{
    Py_hash_t *hash = cached_hash(object);
    if (hash != NULL) {
        *hash = -1;
    }
}
