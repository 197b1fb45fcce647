// What Swift cannot say: a thread-local block reached in one instruction, the cycle counter,
// and the few system calls of the exporter's sleep. Everything here is inline but the block itself.
#ifndef TRACEMILL_CTHREAD_H
#define TRACEMILL_CTHREAD_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

/// How many recorders may exist at one time in a process.
#define TRACEMILL_RECORDERS_MAX 64

/// What one thread knows of one recorder. `epoch` tells a recorder from an earlier one that had
/// the same index.
struct tracemill_thread_entry {
    uint64_t epoch;
    void *producer;
};

/// The calling thread's block: one entry a recorder index.
struct tracemill_thread {
    /// A number that no other thread of the process has or had; 0 before it is asked for.
    uint64_t id;
    struct tracemill_thread_entry entries[TRACEMILL_RECORDERS_MAX];
    bool registered;
};

extern _Thread_local struct tracemill_thread tracemill_thread_block
    __attribute__((tls_model("initial-exec")));

/// The entry of recorder `index` in the calling thread's block.
static inline struct tracemill_thread_entry *tracemill_thread_entry(uint32_t index) {
    return &tracemill_thread_block.entries[index];
}

/// The calling thread's number; 0 before `tracemill_thread_identify`.
static inline uint64_t tracemill_thread_id(void) { return tracemill_thread_block.id; }
/// The same, numbering the thread when it has none.
uint64_t tracemill_thread_identify(void);

/// Calls `on_exit(producer)` for each producer of this thread when the thread ends. Once a thread is enough.
void tracemill_thread_register(void (*on_exit)(void *producer));

/// The cycle counter: TSC on x86-64, CNTVCT on arm64, 0 elsewhere. Unserialised: neighbours may overlap.
static inline uint64_t tracemill_cycles(void) {
#if defined(__x86_64__)
    return __rdtsc();
#elif defined(__aarch64__)
    uint64_t value;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
    return value;
#else
    return 0;
#endif
}

/// Whether the cycle counter runs at one rate on every core and in every sleep state.
static inline bool tracemill_cycles_invariant(void) {
#if defined(__x86_64__)
    unsigned a, b, c, d;
    if (!__get_cpuid(0x80000000u, &a, &b, &c, &d) || a < 0x80000007u) return false;
    __get_cpuid(0x80000007u, &a, &b, &c, &d);
    return (d >> 8) & 1;
#elif defined(__aarch64__)
    return true;
#else
    return false;
#endif
}

/// Nanoseconds of CLOCK_MONOTONIC. Not inline: a timespec on the stack costs every caller a guard word.
uint64_t tracemill_monotonic_ns(void);
/// Nanoseconds of CLOCK_REALTIME (Unix time).
uint64_t tracemill_realtime_ns(void);

/// Fetches the lines of `count` bytes at `address`, which are about to be read.
static inline void tracemill_prefetch(const void *address, int64_t count) {
    for (int64_t offset = 0; offset < count; offset += 64)
        __builtin_prefetch((const char *)address + offset, 0, 3);
}

/// Fetches five lines (320 bytes) at `address` for writing: another core has read them last, and a store
/// that waits for each line costs more than the span. A no-op where the processor has no such hint.
static inline void tracemill_prefetch_write(void *address) {
#if defined(__x86_64__)
    const char *line = (const char *)address;
    __asm__ volatile(
        "prefetchw %0\n\tprefetchw %1\n\tprefetchw %2\n\tprefetchw %3\n\tprefetchw %4"
        :
        : "m"(line[0]), "m"(line[64]), "m"(line[128]), "m"(line[192]), "m"(line[256]));
#else
    for (int line = 0; line < 5; line++)
        __builtin_prefetch((const char *)address + 64 * line, 1, 3);
#endif
}

/// A pause between two looks at a busy word.
static inline void tracemill_pause(void) {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/// Makes every running thread of the process pass a full memory barrier (membarrier(2)). False where the
/// kernel has no such call: then `tracemill_has_process_barrier()` is false, and threads that rely on the other
/// side's barrier have to fence themselves.
bool tracemill_process_barrier(void);
/// Whether it has.
bool tracemill_has_process_barrier(void);
/// Between a store that announces and a load that looks, in a thread that relies on the other side's
/// `tracemill_process_barrier`: keeps the compiler from swapping them. The processor may still.
static inline void tracemill_keep_order(void) { __asm__ volatile("" ::: "memory"); }
/// A full fence of this thread alone.
static inline void tracemill_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/// A mutex and condition pair kept in plain memory (pthread, which the thread sanitizer understands).
struct tracemill_gate;
struct tracemill_gate *tracemill_gate_new(void);
void tracemill_gate_lock(struct tracemill_gate *);
void tracemill_gate_unlock(struct tracemill_gate *);
void tracemill_gate_wait(struct tracemill_gate *);
/// Waits until `deadline_ns` of CLOCK_MONOTONIC at the latest. False when that came first.
bool tracemill_gate_wait_until(struct tracemill_gate *, uint64_t deadline_ns);
/// Wakes one that waits.
void tracemill_gate_signal(struct tracemill_gate *);
void tracemill_gate_broadcast(struct tracemill_gate *);

/// A new non-blocking eventfd, or -1.
int tracemill_eventfd_new(void);
void tracemill_eventfd_signal(int fd);
/// Empties the eventfd; true when it had been signalled.
bool tracemill_eventfd_take(int fd);

/// Texts that stand in the program itself, found by where they stand: an open-addressed table that only grows.
/// An entry is whole once `record` is set. `shape` is the text's length, and above it what the record is of.
#define TRACEMILL_LITERALS_MAX 4096
struct tracemill_literal {
    const void *address;
    int64_t shape;
    const void *record;
};
extern struct tracemill_literal tracemill_literals[TRACEMILL_LITERALS_MAX];

static inline uint64_t tracemill_literal_place(const void *address) {
    return ((uint64_t)(uintptr_t)address * 0x9E3779B97F4A7C15u) >> 52;
}

/// The record of the text at `address`, if it stands in its first place; else NULL. Any thread.
static inline const void *tracemill_literal_find(const void *address, int64_t shape) {
    const struct tracemill_literal *entry = &tracemill_literals[tracemill_literal_place(address)];
    const void *record = __atomic_load_n(&entry->record, __ATOMIC_ACQUIRE);
    return record && entry->address == address && entry->shape == shape ? record : NULL;
}
/// The same wherever it stands. Any thread.
const void *tracemill_literal_search(const void *address, int64_t shape);
/// Adds a text that is not there. One thread at a time. False when the table is full.
bool tracemill_literal_add(const void *address, int64_t shape, const void *record);

/// Fills `bytes` from getrandom(2).
void tracemill_random_bytes(void *bytes, uint64_t count);

#endif
