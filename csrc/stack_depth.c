/* Abstract interpretation of bytecode. Up to 3.13 a frame that is inside a C
 * call keeps its stack pointer in a C variable of the interpreter's loop, where
 * nobody can read it; but the compiler gives each instruction one depth,
 * whichever way it is reached, so that the code object can be asked instead.
 *
 * Specialised and instrumented instructions are mapped back here, because
 * PyCode_GetCode, which does the same, allocates. */
#define NEED_OPCODE_TABLES 1
#define NEED_OPCODE_METADATA 1
#include "stack_depth.h"

#include <stdlib.h>

#if GCR_PY313
#include "internal/pycore_opcode_metadata.h"
#else
#include "internal/pycore_opcode.h"
#endif

typedef struct instruction {
    int index; /* of the instruction proper, after its EXTENDED_ARGs */
    int opcode;
    int oparg;
    int next; /* after its inline caches */
} instruction;

#if GCR_PY312
/* An instrumented instruction does what its base does, after the callbacks.
 * CPython's own table (DE_INSTRUMENT in Python/instrumentation.c) is static. */
static int
deinstrument(int opcode)
{
#define CASE(base) case INSTRUMENTED_##base: return base;
    switch (opcode) {
        CASE(RESUME)
        CASE(RETURN_VALUE)
        CASE(YIELD_VALUE)
        CASE(CALL)
        CASE(CALL_FUNCTION_EX)
        CASE(LOAD_SUPER_ATTR)
        CASE(JUMP_FORWARD)
        CASE(JUMP_BACKWARD)
        CASE(POP_JUMP_IF_TRUE)
        CASE(POP_JUMP_IF_FALSE)
        CASE(POP_JUMP_IF_NONE)
        CASE(POP_JUMP_IF_NOT_NONE)
        CASE(FOR_ITER)
        CASE(END_FOR)
        CASE(END_SEND)
#ifdef INSTRUMENTED_RETURN_CONST
        CASE(RETURN_CONST)
#endif
#ifdef INSTRUMENTED_CALL_KW
        CASE(CALL_KW)
#endif
#ifdef INSTRUMENTED_POP_ITER
        CASE(POP_ITER)
#endif
#ifdef INSTRUMENTED_NOT_TAKEN
        CASE(NOT_TAKEN)
#endif
#ifdef INSTRUMENTED_END_ASYNC_FOR
        CASE(END_ASYNC_FOR)
#endif
    }
#undef CASE
    return opcode;
}
#else
static int
deinstrument(int opcode)
{
    return opcode;
}
#endif

static int
base_opcode(PyCodeObject *code, int index)
{
    int opcode = deinstrument(gcr_code_unit_opcode(code, index));
    return opcode < 0 || opcode > 255 ? -1 : _PyOpcode_Deopt[opcode];
}

/* Returns 0 if what stands at `start` is not an instruction this file knows,
 * such as the entry to a JIT executor. */
static int
decode(PyCodeObject *code, int start, instruction *found)
{
    int size = (int)Py_SIZE(code);
    int oparg = 0;
    for (int i = start; i < size; i++) {
        int opcode = base_opcode(code, i);
        oparg = oparg << 8 | gcr_code_unit_oparg(code, i);
        if (opcode == EXTENDED_ARG) {
            continue;
        }
#ifdef ENTER_EXECUTOR
        if (opcode == ENTER_EXECUTOR) {
            return 0;
        }
#endif
        if (opcode <= 0) {
            return 0; /* 0 is CACHE, never executed */
        }
        found->index = i;
        found->opcode = opcode;
        found->oparg = oparg;
        found->next = i + 1 + _PyOpcode_Caches[opcode];
        return found->next <= size;
    }
    return 0;
}

#if GCR_PY313
static int
operands(const instruction *in)
{
    /* Results may replace operands on the stack while the C variables that
     * hold them are still in use. */
    int popped = _PyOpcode_num_popped(in->opcode, in->oparg);
    int pushed = _PyOpcode_num_pushed(in->opcode, in->oparg);
    return popped < 0 || pushed < 0 ? -1 : popped > pushed ? popped : pushed;
}
#else
/* Before 3.13 no table of operands is installed (the public stack effect is
 * the net one). An answer too high only hides stack entries, so that opcodes
 * that rarely run other code while entries lie below them get the maximum. */
static int
operands(const instruction *in)
{
    switch (in->opcode) {
        case NOP:
        case RESUME:
        case JUMP_FORWARD:
        case JUMP_BACKWARD:
        case JUMP_BACKWARD_NO_INTERRUPT:
        case LOAD_CONST:
        case LOAD_FAST:
        case LOAD_NAME:
        case LOAD_GLOBAL:
        case LOAD_DEREF:
        case LOAD_CLOSURE:
        case LOAD_BUILD_CLASS:
        case DELETE_NAME:
        case DELETE_GLOBAL:
        case DELETE_FAST:
        case DELETE_DEREF:
        case MAKE_CELL:
        case COPY_FREE_VARS:
            return 0;
        case POP_TOP:
        case STORE_FAST:
        case STORE_NAME:
        case STORE_GLOBAL:
        case STORE_DEREF:
        case GET_ITER:
        case GET_YIELD_FROM_ITER:
        case GET_AWAITABLE:
        case FOR_ITER:
        case LOAD_ATTR:
#ifdef LOAD_METHOD
        case LOAD_METHOD:
#endif
        case DELETE_ATTR:
        case BEFORE_WITH:
        case BEFORE_ASYNC_WITH:
        case GET_AITER:
        case GET_ANEXT:
        case UNARY_NOT:
        case UNARY_NEGATIVE:
        case UNARY_INVERT:
        case UNPACK_SEQUENCE:
        case UNPACK_EX:
        case RETURN_VALUE:
        case YIELD_VALUE:
        case IMPORT_FROM:
            return 1;
        case BINARY_OP:
        case BINARY_SUBSCR:
        case DELETE_SUBSCR:
        case COMPARE_OP:
        case CONTAINS_OP:
        case IS_OP:
        case STORE_ATTR:
        case IMPORT_NAME:
        case SEND:
        case FORMAT_VALUE:
            return 2;
        case STORE_SUBSCR:
            return 3;
#ifdef PRECALL
        case PRECALL: /* leaves the stack alone, but counts as popping `oparg` */
            return in->oparg + 2;
        case CALL:
            return 2;
#else
        case CALL:
            return in->oparg + 2;
#endif
        case CALL_FUNCTION_EX:
            return 4;
        case BUILD_TUPLE:
        case BUILD_LIST:
        case BUILD_SET:
        case BUILD_STRING:
        case BUILD_SLICE:
        case LIST_EXTEND:
        case SET_UPDATE:
        case DICT_UPDATE:
        case LIST_APPEND:
        case SET_ADD:
        case RAISE_VARARGS:
            return in->oparg + 1;
        case BUILD_CONST_KEY_MAP:
        case MAP_ADD:
            return in->oparg + 2;
        case DICT_MERGE:
            return in->oparg + 3;
        case BUILD_MAP:
            return 2 * in->oparg;
        case MATCH_CLASS:
        case MATCH_KEYS:
            return 3;
        default:
            /* WITH_EXCEPT_START and MAKE_FUNCTION look deepest; SWAP and COPY,
             * which look deeper, run no other code. */
            return 5;
    }
}
#endif

/* Finds instruction `index` by decoding from the start: looking backwards, a
 * cache entry can pass for an EXTENDED_ARG. */
static int
find(PyCodeObject *code, int index, instruction *in)
{
    for (int i = 0; decode(code, i, in); i = in->next) {
        if (in->index >= index) {
            return in->index == index;
        }
    }
    return 0;
}

int
gcr_operands(PyCodeObject *code, int index)
{
    instruction in;
    return find(code, index, &in) ? operands(&in) : -1;
}

#if GCR_PY314

/* The frame itself knows its stack pointer (see frames.c). */
int
gcr_stack_depth(PyCodeObject *code, int index, int *level)
{
    (void)code;
    (void)index;
    (void)level;
    return -1;
}

#else

/* Where `in` may jump to, or -1. */
static int
jump_target(const instruction *in)
{
    switch (in->opcode) {
        case JUMP_FORWARD:
        case FOR_ITER:
        case SEND:
#if GCR_PY312
        case POP_JUMP_IF_TRUE:
        case POP_JUMP_IF_FALSE:
        case POP_JUMP_IF_NONE:
        case POP_JUMP_IF_NOT_NONE:
#else
        case JUMP_IF_TRUE_OR_POP:
        case JUMP_IF_FALSE_OR_POP:
        case POP_JUMP_FORWARD_IF_TRUE:
        case POP_JUMP_FORWARD_IF_FALSE:
        case POP_JUMP_FORWARD_IF_NONE:
        case POP_JUMP_FORWARD_IF_NOT_NONE:
#endif
            return in->next + in->oparg;
        case JUMP_BACKWARD:
        case JUMP_BACKWARD_NO_INTERRUPT:
#if !GCR_PY312
        case POP_JUMP_BACKWARD_IF_TRUE:
        case POP_JUMP_BACKWARD_IF_FALSE:
        case POP_JUMP_BACKWARD_IF_NONE:
        case POP_JUMP_BACKWARD_IF_NOT_NONE:
#endif
            return in->next - in->oparg;
        default:
            return -1;
    }
}

static int
falls_through(int opcode)
{
    switch (opcode) {
        case JUMP_FORWARD:
        case JUMP_BACKWARD:
        case JUMP_BACKWARD_NO_INTERRUPT:
        case RETURN_VALUE:
#ifdef RETURN_CONST
        case RETURN_CONST:
#endif
        case RAISE_VARARGS:
        case RERAISE:
            return 0;
        default:
            return 1;
    }
}

static int
stack_effect(const instruction *in, int jump)
{
#if !GCR_PY313
    /* The compiler starts generators at depth 1, before 3.13, instead of
     * counting the value that the first send() pushes. */
    if (in->opcode == RETURN_GENERATOR) {
        return 1;
    }
#endif
    return PyCompile_OpcodeStackEffectWithJump(in->opcode, in->oparg, jump);
}

/* Sections of the exception table: Objects/exception_handling_notes.txt. */
typedef struct handler {
    int start;
    int end;
    int target;
    int depth;
    int lasti;
} handler;

static const uint8_t *
read_varint(const uint8_t *at, int *value)
{
    int byte = *at++;
    int result = byte & 63;
    while (byte & 64) {
        byte = *at++;
        result = result << 6 | (byte & 63);
    }
    *value = result;
    return at;
}

static const uint8_t *
read_handler(const uint8_t *at, handler *found)
{
    int size, depth_lasti;
    at = read_varint(at, &found->start);
    at = read_varint(at, &size);
    at = read_varint(at, &found->target);
    at = read_varint(at, &depth_lasti);
    found->end = found->start + size;
    found->depth = depth_lasti >> 1;
    found->lasti = depth_lasti & 1;
    return at;
}

/* Returns 0 if another path gives the instruction at `index` another depth. */
static int
reach(PyCodeObject *code, int *depths, int index, int depth, int *changed)
{
    if (index < 0 || index >= Py_SIZE(code) || depth < 0 || depth > code->co_stacksize) {
        return 0;
    }
    if (depths[index] < 0) {
        depths[index] = depth;
        *changed = 1;
        return 1;
    }
    return depths[index] == depth;
}

/* One pass over the code in order; returns 0 if there is no certainty.
 * `depths` has an entry a code unit, -1 where nothing is known; that of an
 * instruction stands at its first EXTENDED_ARG, where jumps go. */
static int
propagate(PyCodeObject *code, int *depths, int *changed)
{
    instruction in;
    for (int i = 0; i < Py_SIZE(code); i = in.next) {
        if (!decode(code, i, &in)) {
            return 0;
        }
        int depth = depths[i];
        if (depth < 0) {
            continue;
        }
        int target = jump_target(&in);
        if (target >= 0) {
            int effect = stack_effect(&in, 1);
            if (effect == PY_INVALID_STACK_EFFECT ||
                !reach(code, depths, target, depth + effect, changed)) {
                return 0;
            }
        }
        if (falls_through(in.opcode)) {
            int effect = stack_effect(&in, 0);
            if (effect == PY_INVALID_STACK_EFFECT ||
                !reach(code, depths, in.next, depth + effect, changed)) {
                return 0;
            }
        }
    }
    return 1;
}

static int
solve(PyCodeObject *code, int *depths)
{
    int changed;
    if (!reach(code, depths, 0, 0, &changed)) {
        return 0;
    }
    const uint8_t *at = (const uint8_t *)PyBytes_AS_STRING(code->co_exceptiontable);
    const uint8_t *end = at + PyBytes_GET_SIZE(code->co_exceptiontable);
    while (at < end) {
        handler found;
        at = read_handler(at, &found);
        /* The handler finds the exception on the stack, above the index of the
         * instruction that raised it where it wants that. */
        int depth = found.depth + found.lasti + 1;
        if (!reach(code, depths, found.target, depth, &changed)) {
            return 0;
        }
    }
    do {
        changed = 0;
        if (!propagate(code, depths, &changed)) {
            return 0;
        }
    } while (changed);
    return 1;
}

/* To what depth an exception raised at `index` unwinds; 0 where nothing handles
 * it. At most one section covers an instruction. */
static int
handler_level(PyCodeObject *code, int index)
{
    const uint8_t *at = (const uint8_t *)PyBytes_AS_STRING(code->co_exceptiontable);
    const uint8_t *end = at + PyBytes_GET_SIZE(code->co_exceptiontable);
    while (at < end) {
        handler found;
        at = read_handler(at, &found);
        if (found.start <= index && index < found.end) {
            return found.depth;
        }
    }
    return 0;
}

int
gcr_stack_depth(PyCodeObject *code, int index, int *level)
{
    Py_ssize_t size = Py_SIZE(code);
    if (index < 0 || index >= size) {
        return -1;
    }
    int *depths = malloc((size_t)size * sizeof *depths);
    if (depths == NULL) {
        return -1;
    }
    for (Py_ssize_t i = 0; i < size; i++) {
        depths[i] = -1;
    }
    int depth = -1;
    if (solve(code, depths)) {
        instruction in;
        for (int i = 0; i <= index && decode(code, i, &in); i = in.next) {
            if (in.index == index) {
                depth = depths[i];
            }
        }
    }
    free(depths);
    *level = handler_level(code, index);
    return depth;
}

#endif
