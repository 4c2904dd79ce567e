/* Small things that hold others, among them some that no traversal shows. */
#include "known.h"

#include <datetime.h>

/* The hash of a datetime or time is computed from its tzinfo too, and kept: where it
 * was, the tzinfo stays, a leftover. */
static int
show_tzinfo(_PyDateTime_BaseTZInfo *holder, PyObject **tzinfo, gcr_walk_state *walk)
{
    if (holder->hastzinfo && holder->hashcode == -1) {
        GCR_SHOW(.address = tzinfo, .accepts = GCR_SAME_LAYOUT, .name = ".tzinfo",
                 .flags = GCR_HIDDEN);
    }
    return 0;
}

static int
walk_datetime(PyObject *holder, gcr_walk_state *walk)
{
    return show_tzinfo((_PyDateTime_BaseTZInfo *)holder,
                       &((PyDateTime_DateTime *)holder)->tzinfo, walk);
}

static int
walk_time(PyObject *holder, gcr_walk_state *walk)
{
    return show_tzinfo((_PyDateTime_BaseTZInfo *)holder, &((PyDateTime_Time *)holder)->tzinfo,
                       walk);
}

const gcr_known gcr_known_values[] = {
    {"(slice(a, b, c), a, b, c)", .fields = {{".start"}, {".stop"}, {".step"}}},
    {"(x := type(sys.implementation)(k=a), x.__dict__)",
     .fields = {{".__dict__", GCR_EXACT_DICT}}},
    /* Both keep pointers into the memory of the owner. */
    {"(view, gc.get_referents(view)[0])", .fields = {{"<buffer>", GCR_NOTHING}}},
    {"(gc.get_referents(view)[0], view.obj)",
     .fields = {{"<owner>", GCR_NOTHING}}},
    {"((d := __import__('_datetime')).datetime(1, 1, 1, tzinfo=d.timezone.utc), d.timezone.utc)",
     .walk = walk_datetime},
    {"((d := __import__('_datetime')).time(1, tzinfo=d.timezone.utc), d.timezone.utc)",
     .walk = walk_time},
    /* Its hash follows from the offset. */
    {"((d := __import__('_datetime')).timezone(d.timedelta(0, 60), text), text)",
     .fields = {{".tzname(None)", GCR_STR, GCR_HIDDEN}}},
    /* What byref() and from_param() make: they hold an address as C code takes it, and what
     * has the memory there. No traversal shows it before 3.13. */
    {"((d := __import__('_ctypes')).byref("
     "x := type(d._SimpleCData)('x', (d._SimpleCData,), {'_type_': 'i'})()), x)",
     .fields = {{"._obj", GCR_NOTHING, GCR_HIDDEN | GCR_PERHAPS_SHOWN}}},
    {.sample = "(_thread.allocate_lock(),)"},
    {0},
};
