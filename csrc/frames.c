/* The slots of running frames: locals, evaluation stack and the frame's own
 * fields. No object shows them to a tp_traverse while the frame is running. */
#include "compat.h"

#include "stack_depth.h"

typedef struct frame_walk {
    gcr_slot_visitor visit;
    void *arg;
    gcr_slot slot; /* code and line are those of the frame */
} frame_walk;

static int
emit(frame_walk *walk, PyObject **address, gcr_kind kind, gcr_accepts accepts, const char *name)
{
    PyObject *word = *address;
    if ((kind == GCR_STACKREF ? gcr_frame_referent(word) : word) == NULL) {
        return 0;
    }
    walk->slot.address = address;
    walk->slot.kind = kind;
    walk->slot.accepts = accepts;
    walk->slot.name = name;
    return walk->visit(&walk->slot, walk->arg);
}

/* ---- locals ------------------------------------------------------------ */

/* `cell`: the variable is shared with other functions, so that its slot holds
 * a cell once the prologue (MAKE_CELL, COPY_FREE_VARS) has run. */
static gcr_accepts
local_accepts(PyObject *name, int cell, PyObject *referent)
{
    if (cell && PyCell_Check(referent)) {
        return GCR_CELL;
    }
    /* Compiler-made variables, such as ".0", the iterator of a comprehension,
     * which FOR_ITER advances without looking whether it has a tp_iternext. */
    if (PyUnicode_GET_LENGTH(name) > 0 && PyUnicode_READ_CHAR(name, 0) == '.') {
        return GCR_SAME_LAYOUT;
    }
    return GCR_ANY;
}

static int
visit_locals(frame_walk *walk, gcr_frame *frame, PyCodeObject *code)
{
    PyObject **locals = (PyObject **)frame->localsplus;
    const char *kinds = PyBytes_AS_STRING(code->co_localspluskinds);
    int result = 0;
    walk->slot.role = GCR_FRAME_LOCAL;
    for (int i = 0; i < code->co_nlocalsplus && result == 0; i++) {
        PyObject *referent = gcr_frame_referent(locals[i]);
        if (referent == NULL) {
            continue;
        }
        PyObject *name = PyTuple_GET_ITEM(code->co_localsplusnames, i);
        int cell = (kinds[i] & (CO_FAST_CELL | CO_FAST_FREE)) != 0;
        walk->slot.key = name;
        walk->slot.index = i;
        result = emit(walk, &locals[i], GCR_FRAME_KIND, local_accepts(name, cell, referent),
                      "<local>");
    }
    walk->slot.key = NULL;
    walk->slot.index = 0;
    return result;
}

/* ---- evaluation stack --------------------------------------------------- */

/* How many words of the stack, from its bottom, are live, and how many of
 * those at its top the current instruction may be using. `in_c`: the frame is
 * running C code, not a Python call that the same interpreter loop made. */
typedef struct stack_view {
    int live;
    int operands;
} stack_view;

#if GCR_PY314

/* The stack pointer is stored before whatever can run other code. The operands
 * are in C variables too, by which the instruction will release them: a slot
 * that had changed meanwhile would upset the counts. What a JIT keeps in
 * registers is as good as an operand. */
static stack_view
view_stack(gcr_frame *frame, PyCodeObject *code, int in_c)
{
    stack_view view = {0, 0};
    if (frame->stackpointer == NULL) {
        return view;
    }
    view.live = (int)(frame->stackpointer - frame->localsplus) - code->co_nlocalsplus;
    if (view.live <= 0) {
        view.live = 0;
        return view;
    }
    if (gcr_jit_is_on(PyThreadState_Get()->interp)) {
        view.operands = view.live;
    }
    else if (in_c) {
        int operands = gcr_operands(code, gcr_frame_instruction(frame));
        view.operands = operands < 0 || operands > view.live ? view.live : operands;
    }
    if (!GCR_OPERANDS_ARE_LIVE) {
        view.live -= view.operands;
        view.operands = 0;
    }
    return view;
}

#else

/* The interpreter loop keeps the stack pointer in a C variable and stores it
 * (stacktop) only before a Python call and around tracing; -1 says that it did
 * not. Then the depth comes from the bytecode, and the operands are left out:
 * the instruction may already have released some of them, for instance when
 * another thread or a finalizer runs at its end, and then they are stale words.
 *
 * An instruction that fails unwinds the stack word by word, and a finalizer
 * may run then. It has put a traceback entry, and with it a reference to the
 * frame object, into the exception first. So if nobody but the frame has its
 * frame object, no unwinding goes on; otherwise only what the exception handler
 * would find is certain. */
static stack_view
view_stack(gcr_frame *frame, PyCodeObject *code, int in_c)
{
    stack_view view = {0, 0};
    (void)in_c;
    if (frame->stacktop >= 0) {
        view.live = frame->stacktop - code->co_nlocalsplus;
    }
    else {
        int index = gcr_frame_instruction(frame);
        int level = 0;
        int depth = gcr_stack_depth(code, index, &level);
        int operands = depth < 0 ? -1 : gcr_operands(code, index);
        if (operands >= 0) {
            view.live = depth - operands;
            PyObject *frame_object = (PyObject *)frame->frame_obj;
            int unwinding = frame_object != NULL && Py_REFCNT(frame_object) > 1;
            if (unwinding && view.live > level) {
                view.live = level;
            }
        }
    }
    if (view.live < 0) {
        view.live = 0;
    }
    return view;
}

#endif

static int
visit_stack(frame_walk *walk, gcr_frame *frame, PyCodeObject *code, int in_c)
{
    stack_view view = view_stack(frame, code, in_c);
    PyObject **stack = (PyObject **)frame->localsplus + code->co_nlocalsplus;
    int result = 0;
    walk->slot.role = GCR_FRAME_STACK;
    for (int i = 0; i < view.live && result == 0; i++) {
        walk->slot.index = i;
        walk->slot.flags = GCR_HIDDEN | (i >= view.live - view.operands ? GCR_IN_FLIGHT : 0);
        /* Instructions trust what the compiler made them push: an iterator
         * has a tp_iternext, the list of a comprehension is a list. */
        result = emit(walk, &stack[i], GCR_FRAME_KIND, GCR_SAME_LAYOUT, "<stack>");
    }
    walk->slot.index = 0;
    walk->slot.flags = GCR_HIDDEN;
    return result;
}

/* ---- the frame's own fields --------------------------------------------- */

static int
visit_fields(frame_walk *walk, gcr_frame *frame)
{
    int result;
    walk->slot.role = GCR_PLAIN;

    /* The frame executes this very bytecode, and borrows its globals and
     * builtins from this very function: both stay until it returns. */
    walk->slot.flags = GCR_HIDDEN | GCR_IN_FLIGHT;
    result = emit(walk, gcr_frame_code_slot(frame), GCR_FRAME_KIND, GCR_NOTHING, ".f_code");
    if (result != 0) {
        return result;
    }
    PyObject *func = gcr_frame_referent(*gcr_frame_func_slot(frame));
    result = emit(walk, gcr_frame_func_slot(frame), GCR_FRAME_KIND, GCR_NOTHING, ".f_func");
    if (result == 0) {
        result = emit(walk, (PyObject **)&frame->frame_obj, GCR_STRONG, GCR_NOTHING, ".frame");
    }
    walk->slot.flags = GCR_HIDDEN;
    /* The interpreter's trampolines (3.13's around __init__) have None for a
     * function and leave these two uninitialised. */
    if (result == 0 && func != NULL && PyFunction_Check(func)) {
        result = emit(walk, &frame->f_globals, GCR_BORROWED, GCR_DICT, ".f_globals");
        if (result == 0) {
            result = emit(walk, &frame->f_builtins, GCR_BORROWED, GCR_DICT, ".f_builtins");
        }
    }
    if (result == 0) {
        result = emit(walk, &frame->f_locals, GCR_STRONG, GCR_ANY, ".f_locals");
    }
    return result;
}

static int
visit_frame(frame_walk *walk, gcr_frame *frame, int in_c)
{
    PyCodeObject *code = gcr_frame_code(frame);
    walk->slot = (gcr_slot){0};
    walk->slot.flags = GCR_HIDDEN;
    walk->slot.code = (PyObject *)code;
    walk->slot.frame = frame;
    walk->slot.line =
        PyCode_Addr2Line(code, gcr_frame_instruction(frame) * (int)sizeof(_Py_CODEUNIT));

    int result = visit_fields(walk, frame);
    if (result == 0) {
        result = visit_locals(walk, frame, code);
    }
    if (result == 0) {
        result = visit_stack(walk, frame, code, in_c);
    }
    return result;
}

int
gcr_frames(gcr_slot_visitor visit, void *arg)
{
    frame_walk walk = {.visit = visit, .arg = arg};
    PyInterpreterState *interp = PyThreadState_Get()->interp;
    for (PyThreadState *ts = PyInterpreterState_ThreadHead(interp); ts != NULL;
         ts = PyThreadState_Next(ts)) {
        int in_c = 1;
        for (gcr_frame *f = gcr_thread_frame(ts); f != NULL; f = f->previous) {
            if (!gcr_frame_is_shim(f) && !gcr_frame_is_suspended(f)) {
                int result = visit_frame(&walk, f, in_c);
                if (result != 0) {
                    return result;
                }
            }
            in_c = gcr_frame_entered_from_c(f);
        }
    }
    return 0;
}
