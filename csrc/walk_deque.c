/* collections.deque: items in linked blocks, too far from the object for the
 * probe. The layout is that of Modules/_collectionsmodule.c, 3.11 to 3.15; the
 * walker is checked on a deque of its own before it is used. */
#include "walk.h"

enum { DEQUE_BLOCK = 64 };

typedef struct deque_block {
    struct deque_block *left;
    PyObject *data[DEQUE_BLOCK];
    struct deque_block *right;
} deque_block;

typedef struct deque_head {
    PyObject_VAR_HEAD
    deque_block *left;
    deque_block *right;
    Py_ssize_t left_index;
    Py_ssize_t right_index;
} deque_head;

int
gcr_walk_deque(PyObject *holder, gcr_walk_state *walk)
{
    deque_head *deque = (deque_head *)holder;
    deque_block *block = deque->left;
    Py_ssize_t at = deque->left_index;
    for (Py_ssize_t i = 0; i < Py_SIZE(deque); i++, at++) {
        if (at == DEQUE_BLOCK) {
            block = block->right;
            at = 0;
        }
        GCR_SHOW(.address = &block->data[at], .name = "[]", .index = i);
    }
    /* A heap type since 3.12 (gh-92016); a subclass's walker shows the class. */
    PyTypeObject *type = Py_TYPE(holder);
    if ((type->tp_flags & Py_TPFLAGS_HEAPTYPE) && type->tp_traverse != gcr_subtype_traverse) {
        GCR_SHOW(.address = (PyObject **)&holder->ob_type, .role = GCR_OB_TYPE,
                 .accepts = GCR_NOTHING, .name = ".__class__");
    }
    return 0;
}
