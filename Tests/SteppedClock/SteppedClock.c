#define _GNU_SOURCE
#include "SteppedClock.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Atomic int64_t ahead;

void tracemill_step_clock(int64_t ahead_ns) { ahead = ahead_ns; }

// By the system call: the C library's own function cannot be looked up before it is loaded, and others ask for
// the time before that; a sanitizer's runtime does before it is ready for instrumented code.
__attribute__((disable_sanitizer_instrumentation)) int clock_gettime(clockid_t clock, struct timespec *time) {
    if (syscall(SYS_clock_gettime, clock, time) != 0) return -1;
    int64_t step = ahead;
    if (step == 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return 0;
    int64_t ns = (int64_t)time->tv_sec * 1000000000 + time->tv_nsec + step;
    time->tv_sec = ns / 1000000000;
    time->tv_nsec = ns % 1000000000;
    return 0;
}
