//! Holders written in Rust, for `tests/test_extensions.py`.
//!
//! PyO3 keeps a class's Rust value inside the object's memory, behind a header
//! whose size depends on the interpreter; a `Vec` keeps its items in a block of
//! Rust's allocator.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

/// One field of its own, one `Vec`, one box of a box.
#[pyclass(module = "pyo3ext", weakref)]
struct Holder {
    #[pyo3(get)]
    one: Option<Py<PyAny>>,
    many: Vec<Py<PyAny>>,
    // A box in a box is the case of the test: two blocks away from the object.
    #[allow(clippy::redundant_allocation)]
    boxed: Box<Box<Option<Py<PyAny>>>>,
}

#[pymethods]
impl Holder {
    #[new]
    fn new(one: Py<PyAny>, many: Vec<Py<PyAny>>, boxed: Py<PyAny>) -> Self {
        Self { one: Some(one), many, boxed: Box::new(Box::new(Some(boxed))) }
    }

    fn items(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        self.many.iter().map(|item| item.clone_ref(py)).collect()
    }

    #[getter]
    fn boxed(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.boxed.as_ref().as_ref().as_ref().map(|item| item.clone_ref(py))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.one)?;
        for item in &self.many {
            visit.call(item)?;
        }
        visit.call(self.boxed.as_ref().as_ref())
    }

    fn __clear__(&mut self) {
        self.one = None;
        self.many.clear();
        **self.boxed = None;
    }
}

/// No `__traverse__`: what it holds shows in the reference count only.
#[pyclass(module = "pyo3ext")]
struct Opaque {
    #[pyo3(get)]
    hidden: Py<PyAny>,
}

#[pymethods]
impl Opaque {
    #[new]
    fn new(hidden: Py<PyAny>) -> Self {
        Self { hidden }
    }
}

/// `__traverse__` cannot look while a method borrows the holder mutably, so PyO3
/// shows the collector nothing then: `call` runs `function` in that state.
#[pyclass(module = "pyo3ext")]
struct Borrowing {
    #[pyo3(get)]
    item: Py<PyAny>,
}

#[pymethods]
impl Borrowing {
    #[new]
    fn new(item: Py<PyAny>) -> Self {
        Self { item }
    }

    fn call(&mut self, function: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        function.call0().map(Bound::unbind)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.item)
    }
}

#[pymodule]
mod pyo3ext {
    #[pymodule_export]
    use super::{Borrowing, Holder, Opaque};
}
