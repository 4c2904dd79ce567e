/* What is found at import for the roots. Private to csrc/. */
#ifndef GCREMAP_ROOTS_H
#define GCREMAP_ROOTS_H

#include "compat.h"

/* Runs Python code (an import); leaves no exception. */
void gcr_signals_init(void);

/* The slot of a signal's handler; NULL where the table was not found. */
PyObject **gcr_signal_handler(int number);

#endif
