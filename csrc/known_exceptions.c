/* Exceptions, tracebacks and frames that are over.
 *
 * C code of the core reads an exception's context and cause as exceptions, unlooked. */
#include "known.h"

/* What all exceptions have. */
static int
walk_base(PyObject *holder, gcr_walk_state *walk)
{
    const gcr_walker_entry *entry = gcr_walker_find((PyTypeObject *)PyExc_BaseException);
    return entry == NULL ? 0 : gcr_walker_run(entry, holder, walk);
}

/* A frame that runs, or belongs to a generator, is shown there. */
static int
walk_frame(PyObject *holder, gcr_walk_state *walk)
{
    PyFrameObject *object = (PyFrameObject *)holder;
    GCR_FIELD(object->f_back, GCR_NOTHING, ".f_back");
    GCR_FIELD(object->f_trace, GCR_ANY, ".f_trace");
    GCR_SHOW(.address = gcr_frame_object_extra(object), .accepts = GCR_NOTHING,
             .name = "<extra locals>");
    GCR_SHOW(.address = gcr_frame_object_cache(object), .accepts = GCR_NOTHING,
             .name = "<cached locals>");
    GCR_SHOW(.address = gcr_frame_object_overwritten(object), .accepts = GCR_NOTHING,
             .name = "<overwritten locals>");
    if (object->f_frame->owner != FRAME_OWNED_BY_FRAME_OBJECT) {
        return 0;
    }
    return gcr_walk_frame_words(object->f_frame, walk);
}

const gcr_known gcr_known_exceptions[] = {
    {"(x := caught(Exception(a), Caught(b)), x.__dict__, x.args, x.__traceback__,"
     " x.__context__, x.__cause__)",
     .fields = {{".__dict__", GCR_EXACT_DICT}, {".args", GCR_TUPLE},
                {".__traceback__", GCR_SAME_LAYOUT}, {".__context__", GCR_SAME_LAYOUT},
                {".__cause__", GCR_SAME_LAYOUT}}},
    {"(StopIteration(a), a)", .walk = walk_base, .fields = {{".value"}}},
    {"(SystemExit(a), a)", .walk = walk_base, .fields = {{".code"}}},
    {"(x := ImportError(text, name=a, path=b,"
     " **({'name_from': c} if hasattr(ImportError, 'name_from') else {})),"
     " text, a, b, c if hasattr(x, 'name_from') else ...)",
     .walk = walk_base, .fields = {{".msg"}, {".name"}, {".path"}, {".name_from"}}},
    {"(OSError(number, text, other, None, a), number, text, other, a)", .walk = walk_base,
     .fields = {{".errno"}, {".strerror"}, {".filename"}, {".filename2"}}},
    {"(NameError(name=a), a)", .walk = walk_base, .fields = {{".name"}}},
    {"(AttributeError(name=a, obj=b), a, b)", .walk = walk_base, .fields = {{".name"}, {".obj"}}},
    {"(SyntaxError(text, (a, b, c, d, e, f)), text, a, b, c, d, e, f)", .walk = walk_base,
     .fields = {{".msg"}, {".filename"}, {".lineno"}, {".offset"}, {".text"}, {".end_lineno"},
                {".end_offset"}}},
    {"(UnicodeDecodeError(text, x := bytes(300), 0, 1, other), text, x, other)",
     .walk = walk_base,
     .fields = {{".encoding", GCR_SAME_LAYOUT}, {".object", GCR_SAME_LAYOUT},
                {".reason", GCR_SAME_LAYOUT}}},
    {"(x := BaseExceptionGroup(text, [KeyboardInterrupt()]), text, x.exceptions)",
     .walk = walk_base, .fields = {{".message", GCR_SAME_LAYOUT}, {".exceptions", GCR_NOTHING}}},
    {"(x := trace(), x.tb_next, x.tb_frame)",
     .fields = {{".tb_next", GCR_SAME_LAYOUT}, {".tb_frame", GCR_NOTHING}}},
    {"(trace().tb_next.tb_frame, a, Caught)[:2]", .walk = walk_frame},
    {0},
};
