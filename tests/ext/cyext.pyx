# cython: language_level=3
"""Holders compiled by Cython: plain and typed fields, and a subclass of list."""


cdef class Fields:
    cdef public object first
    cdef public object second
    cdef public dict table
    cdef readonly long number

    def __init__(self, first, second, dict table, long number=0):
        self.first = first
        self.second = second
        self.table = table
        self.number = number

    def lookup(self, key):
        """Read the table as Cython compiles it: with no check of its type."""
        return self.table.get(key)


cdef class Listing(list):
    cdef public object extra


cdef class Base:
    cdef public object base_field


cdef class Derived(Base):
    """Its traversal calls that of its base."""

    cdef public object own_field


def counting(item):
    """A generator of Cython's own type, suspended with item in its closure."""
    while True:
        yield item
