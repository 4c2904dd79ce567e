/* Generic aliases, unions and type parameters. */
#include "known.h"

/* A parameter's bound, constraints and default are functions until they are asked
 * for, and kept beside these from then on. The tuples that aliases and unions are
 * computed from say what is in others. */
/* Shown by some patch releases. */
#define NAME ".__name__", GCR_STR, GCR_HIDDEN | GCR_PERHAPS_SHOWN

const gcr_known gcr_known_typing[] = {
    {"(x := list[a], list, x.__args__, x.__parameters__)",
     .fields = {{".__origin__"}, {".__args__", GCR_NOTHING}, {".__parameters__", GCR_NOTHING}}},
    {"(x := list[a] | Thing, x.__args__, x.__parameters__, maybe(x, frozenset))",
     .fields = {{".__args__", GCR_NOTHING}, {".__parameters__", GCR_NOTHING},
                {"<hashable arguments>", GCR_NOTHING}}},
    {"[(x := parameter('T: a', ' = c'), x.__name__, x.__bound__, of(x, type(function)), ..., ...,"
     "  x.__default__ if defaults else ..., of(x, type(function), 1) if defaults else ...),"
     " (x := parameter('T: (a, b)', ' = c'), x.__name__, ..., ..., x.__constraints__,"
     "  of(x, type(function)), ..., ...)]",
     .fields = {{NAME}, {".__bound__"}, {".evaluate_bound"},
                {".__constraints__", GCR_TUPLE}, {".evaluate_constraints"}, {".__default__"},
                {".evaluate_default"}}},
    {"[(x := parameter('**T', ' = c'), x.__name__, x.__default__ if defaults else ...,"
     "  of(x, type(function)) if defaults else ...),"
     " (x := type(x)(text), text, ..., ...,"
     "  ([r for r in gc.get_referents(x) if r in (None, type(None))] + [...])[0])]",
     .fields = {{NAME}, {".__default__"}, {".evaluate_default"}, {".__bound__"}}},
    {"[(x := parameter('*T', ' = c'), x.__name__, x.__default__ if defaults else ...,"
     "  of(x, type(function)) if defaults else ...),"
     " (x := type(x)(text), text, ..., ...,"
     "  ([r for r in gc.get_referents(x) if r in (None, type(None))] + [...])[0])]",
     .fields = {{NAME}, {".__default__"}, {".evaluate_default"}, {".__bound__"}}},
    {"((x := parameter('**T', '')).args, x)", .fields = {{".__origin__"}}},
    {"[(x := alias(), x.__name__, x.__type_params__, of(x, type(function)), x.__value__,"
     "  getattr(x, '__qualname__', ...)),"
     " (x := type(x)(text, a), ..., ..., ..., a, ..., x.__module__)]",
     .fields = {{NAME}, {".__type_params__", GCR_TUPLE}, {".evaluate_value"}, {".__value__"},
                {".__qualname__", GCR_STR, GCR_HIDDEN | GCR_PERHAPS_SHOWN}, {".__module__"}}},
    {0},
};
