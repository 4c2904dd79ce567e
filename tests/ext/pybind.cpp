// Holders bound by pybind11: the instance holds a pointer to a C++ object, which
// holds one reference itself and more in a std::vector.
#include <memory>
#include <vector>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace py = pybind11;

namespace {

struct One {
    py::object item;
};

struct Many {
    std::vector<py::object> items;
};

struct Hidden {
    py::object item;
};

int visit_refs(One &one, visitproc visit, void *arg) {
    Py_VISIT(one.item.ptr());
    return 0;
}

int visit_refs(Many &many, visitproc visit, void *arg) {
    for (auto &item : many.items)
        Py_VISIT(item.ptr());
    return 0;
}

void clear_refs(One &one) { one.item = py::none(); }

void clear_refs(Many &many) { many.items.clear(); }

template <typename T>
int traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    if (!py::detail::is_holder_constructed(self))
        return 0;
    return visit_refs(py::cast<T &>(py::handle(self)), visit, arg);
}

template <typename T>
int clear(PyObject *self) {
    if (py::detail::is_holder_constructed(self))
        clear_refs(py::cast<T &>(py::handle(self)));
    return 0;
}

template <typename T>
py::custom_type_setup collected() {
    return py::custom_type_setup([](PyHeapTypeObject *heap_type) {
        auto *type = &heap_type->ht_type;
        type->tp_flags |= Py_TPFLAGS_HAVE_GC;
        type->tp_traverse = traverse<T>;
        type->tp_clear = clear<T>;
    });
}

}  // namespace

PYBIND11_MODULE(pybind, m) {
    py::class_<One>(m, "One", collected<One>())
        .def(py::init([](py::object item) { return One{std::move(item)}; }))
        .def_readonly("item", &One::item);
    py::class_<Many>(m, "Many", collected<Many>())
        .def(py::init([](std::vector<py::object> items) { return Many{std::move(items)}; }))
        .def("items", [](const Many &self) { return self.items; });
    py::class_<Hidden>(m, "Hidden")
        .def(py::init([](py::object item) { return Hidden{std::move(item)}; }))
        .def_readonly("item", &Hidden::item);
}
