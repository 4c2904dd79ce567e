/* collections.deque: items in linked blocks, too far from the object for the
 * probe. The layout is that of Modules/_collectionsmodule.c, 3.11 to 3.15; the
 * walker is checked on a sample before it is used. */
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
    return 0;
}
