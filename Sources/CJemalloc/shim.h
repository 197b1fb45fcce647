// jemalloc's own interface beside malloc's: statistics, arenas, per-thread counters.
#ifndef TRACEMILL_CJEMALLOC_SHIM_H
#define TRACEMILL_CJEMALLOC_SHIM_H

#include <jemalloc/jemalloc.h>

#endif
