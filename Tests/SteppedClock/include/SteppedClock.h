// A wall clock that a test can step: this program's clock_gettime goes before the C library's, for everything
// that is linked into it and everything that it loads. Monotonic time is left alone, as the kernel leaves it.
#ifndef TRACEMILL_STEPPED_CLOCK_H
#define TRACEMILL_STEPPED_CLOCK_H

#include <stdint.h>

/// The wall clock is so far ahead of the machine's from now on, in nanoseconds; below 0 behind. Any thread.
void tracemill_step_clock(int64_t ahead_ns);

#endif
