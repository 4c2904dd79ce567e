/* Small things that hold others, among them some that no traversal shows. */
#include "known.h"

#include <datetime.h>

/* The hash of a datetime or time is computed from its tzinfo too, and kept. */
static int
show_tzinfo(_PyDateTime_BaseTZInfo *holder, PyObject **tzinfo, gcr_walk_state *walk)
{
    if (holder->hastzinfo) {
        GCR_SHOW(.address = tzinfo, .name = ".tzinfo", .flags = GCR_HIDDEN,
                 .accepts = holder->hashcode == -1 ? GCR_SAME_LAYOUT : GCR_NOTHING);
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
    {"(x := (d := __import__('_datetime')).timezone(d.timedelta(0, 60), text),"
     " x.utcoffset(None), text)",
     .fields = {{".utcoffset(None)", GCR_NOTHING, GCR_HIDDEN},
                {".tzname(None)", GCR_STR, GCR_HIDDEN}}},
    {.sample = "(_thread.allocate_lock(),)"},
    {0},
};
