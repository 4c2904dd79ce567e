/* Iterators of the core and of itertools.
 *
 * They call tp_iternext of an iterator, or read a container by its layout, without
 * looking again at what it is: hence GCR_SAME_LAYOUT. The tuples that some reuse for
 * their results are theirs alone. */
#include "known.h"

#define SOURCE "<source>", GCR_SAME_LAYOUT
#define OWN_TUPLE "<tuple of its own>", GCR_NOTHING

const gcr_known gcr_known_iterators[] = {
    {"(iter(x := [a]), x)", .fields = {{SOURCE}}},
    {"(reversed(x := [a]), x)", .fields = {{SOURCE}}},
    {"(iter(x := (a,)), x)", .fields = {{SOURCE}}},
    {"(iter(x := {a}), x)", .fields = {{SOURCE}}},
    {"(iter(text), text)", .fields = {{SOURCE}}},
    {"(iter(x := bytes(300)), x)", .fields = {{SOURCE}}},
    {"(iter(x := bytearray(9)), x)", .fields = {{SOURCE}}},
    {"(x := iter((y := {a: b}).items()), y, of(x, tuple))",
     .fields = {{"<source>", GCR_DICT}, {OWN_TUPLE}}},
    /* It keeps a pointer into the deque. */
    {"(iter(x := _collections.deque([a])), x)", .fields = {{"<source>", GCR_NOTHING}}},
    {"(reversed(x := _collections.deque([a])), x)", .fields = {{"<source>", GCR_NOTHING}}},
    {"((x := {a: b}).keys(), x)", .fields = {{".mapping", GCR_DICT}}},
    {"(iter(a), a)", .fields = {{"<source>"}}},
    {"(reversed(a), a)", .fields = {{"<source>"}}},
    {"(iter(function, a), function, a)", .fields = {{"<callable>"}, {"<sentinel>"}}},
    {"(x := enumerate(y := iter([a]), number), y, of(x, tuple), number)",
     .fields = {{SOURCE}, {OWN_TUPLE}, {"<index>", GCR_NOTHING}}},
    {"(x := zip([a]), of(x, tuple, 0), of(x, tuple, 1))", .fields = {{OWN_TUPLE}, {OWN_TUPLE}}},
    {"(x := map(function, [a]), of(x, tuple), function)", .fields = {{OWN_TUPLE}, {"<function>"}}},
    {"(filter(function, x := iter([a])), x, function)", .fields = {{SOURCE}, {"<function>"}}},
    {"(x := itertools.chain.from_iterable(y := iter([z := iter([a, b])])), y, next(x) and z)",
     .fields = {{SOURCE}, {"<active>", GCR_SAME_LAYOUT}}},
    {"(itertools.count(number, y := number + 1), number, y)",
     .fields = {{"<count>", GCR_SAME_LAYOUT}, {"<step>", GCR_SAME_LAYOUT}}},
    {"(x := itertools.cycle(y := iter([a])), y, of(x, list))",
     .fields = {{SOURCE}, {"<saved>", GCR_NOTHING}}},
    {"(itertools.dropwhile(function, x := iter([a])), function, x)",
     .fields = {{"<function>"}, {SOURCE}}},
    {"(itertools.takewhile(function, x := iter([a])), function, x)",
     .fields = {{"<function>"}, {SOURCE}}},
    {"(itertools.filterfalse(function, x := iter([a])), function, x)",
     .fields = {{"<function>"}, {SOURCE}}},
    {"(itertools.starmap(function, x := iter([a])), function, x)",
     .fields = {{"<function>"}, {SOURCE}}},
    {"(itertools.islice(x := iter([a]), 5), x)", .fields = {{SOURCE}}},
    {"(x := itertools.accumulate(y := iter([a, b]), function), function, y, next(x), None)",
     .fields = {{"<function>"}, {SOURCE}, {"<total>"}, {"<initial>"}}},
    {"(itertools.compress(x := iter([a]), y := iter([b])), x, y)",
     .fields = {{SOURCE}, {"<selectors>", GCR_SAME_LAYOUT}}},
    {"(x := itertools.pairwise(y := iter([a, b, c])), y, next(x) and b, maybe(x, tuple))",
     .fields = {{SOURCE}, {"<last>"}, {OWN_TUPLE}}},
    {"(itertools.batched(x := iter([a]), 2), x)", .fields = {{SOURCE}}},
    {"(itertools.repeat(a), a)", .fields = {{"<element>"}}},
    {"(x := itertools.zip_longest([a], fillvalue=b), of(x, tuple, 0), of(x, tuple, 1), b)",
     .fields = {{OWN_TUPLE}, {OWN_TUPLE}, {"<fill value>"}}},
    {"(x := itertools.product([a], [b]), of(x, tuple, 0), next(x) and of(x, tuple, 1))",
     .fields = {{OWN_TUPLE}, {OWN_TUPLE}}},
    {"(x := itertools.combinations([a, b], 1), of(x, tuple, 0), next(x) and of(x, tuple, 1))",
     .fields = {{OWN_TUPLE}, {OWN_TUPLE}}},
    {"(x := itertools.combinations_with_replacement([a, b], 1), of(x, tuple, 0),"
     " next(x) and of(x, tuple, 1))",
     .fields = {{OWN_TUPLE}, {OWN_TUPLE}}},
    {"(x := itertools.permutations([a, b], 1), of(x, tuple, 0), next(x) and of(x, tuple, 1))",
     .fields = {{OWN_TUPLE}, {OWN_TUPLE}}},
    {"(x := itertools.tee([a])[0], gc.get_referents(x)[-1])", .fields = {{"<data>", GCR_NOTHING}}},
    {0},
};
