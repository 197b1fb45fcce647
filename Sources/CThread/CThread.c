#define _GNU_SOURCE
#include "CThread.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

_Thread_local struct tracemill_thread tracemill_thread_block
    __attribute__((tls_model("initial-exec")));

static uint64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t tracemill_monotonic_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
uint64_t tracemill_realtime_ns(void) { return clock_ns(CLOCK_REALTIME); }

static pthread_key_t exit_key;
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;
static void (*exit_callback)(void *);

static void thread_ended(void *block) {
    struct tracemill_thread *thread = block;
    for (int i = 0; i < TRACEMILL_RECORDERS_MAX; i++) {
        void *producer = thread->entries[i].producer;
        thread->entries[i].epoch = 0;
        thread->entries[i].producer = NULL;
        if (producer) __atomic_load_n(&exit_callback, __ATOMIC_ACQUIRE)(producer);
    }
    // A later destructor of this thread may trace again: it registers anew.
    thread->registered = false;
}

static void exit_key_create(void) {
    if (pthread_key_create(&exit_key, thread_ended) != 0) abort();
}

uint64_t tracemill_thread_identify(void) {
    static uint64_t last;
    if (tracemill_thread_block.id == 0) {
        tracemill_thread_block.id = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
    }
    return tracemill_thread_block.id;
}

void tracemill_thread_register(void (*on_exit)(void *)) {
    if (tracemill_thread_block.registered) return;
    tracemill_thread_block.registered = true;
    __atomic_store_n(&exit_callback, on_exit, __ATOMIC_RELEASE);
    pthread_once(&exit_once, exit_key_create);
    pthread_setspecific(exit_key, &tracemill_thread_block);
}

static bool has_process_barrier;

bool tracemill_has_process_barrier(void) { return has_process_barrier; }

__attribute__((constructor)) static void barrier_register(void) {
    has_process_barrier =
        syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

bool tracemill_process_barrier(void) {
    if (has_process_barrier &&
        syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0)
        return true;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return false;
}

struct tracemill_gate {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
};

struct tracemill_gate *tracemill_gate_new(void) {
    struct tracemill_gate *gate = malloc(sizeof *gate);
    if (!gate) abort();
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&gate->mutex, NULL);
    pthread_cond_init(&gate->condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return gate;
}

void tracemill_gate_lock(struct tracemill_gate *gate) { pthread_mutex_lock(&gate->mutex); }
void tracemill_gate_unlock(struct tracemill_gate *gate) { pthread_mutex_unlock(&gate->mutex); }
void tracemill_gate_wait(struct tracemill_gate *gate) {
    pthread_cond_wait(&gate->condition, &gate->mutex);
}
bool tracemill_gate_wait_until(struct tracemill_gate *gate, uint64_t deadline_ns) {
    struct timespec t = {
        .tv_sec = (time_t)(deadline_ns / 1000000000u),
        .tv_nsec = (long)(deadline_ns % 1000000000u),
    };
    return pthread_cond_timedwait(&gate->condition, &gate->mutex, &t) != ETIMEDOUT;
}
void tracemill_gate_broadcast(struct tracemill_gate *gate) {
    pthread_cond_broadcast(&gate->condition);
}
void tracemill_gate_signal(struct tracemill_gate *gate) {
    pthread_cond_signal(&gate->condition);
}

int tracemill_eventfd_new(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
void tracemill_eventfd_signal(int fd) {
    uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}
bool tracemill_eventfd_take(int fd) {
    uint64_t value = 0;
    ssize_t n;
    while ((n = read(fd, &value, sizeof value)) < 0 && errno == EINTR) {
    }
    return n == (ssize_t)sizeof value;
}

void tracemill_random_bytes(void *bytes, uint64_t count) {
    uint8_t *at = bytes;
    while (count > 0) {
        ssize_t n = getrandom(at, count > 256 ? 256 : count, 0);
        if (n < 0) {
            if (errno == EINTR) continue;
            abort();
        }
        at += n;
        count -= (uint64_t)n;
    }
}

struct tracemill_literal tracemill_literals[TRACEMILL_LITERALS_MAX];
// Only `tracemill_literal_add` touches it. A quarter stays empty, so that a search ends soon.
static int64_t literal_count;

const void *tracemill_literal_search(const void *address, int64_t shape) {
    for (uint64_t place = tracemill_literal_place(address);; place++) {
        struct tracemill_literal *entry = &tracemill_literals[place % TRACEMILL_LITERALS_MAX];
        const void *record = __atomic_load_n(&entry->record, __ATOMIC_ACQUIRE);
        if (!record) return NULL;
        if (entry->address == address && entry->shape == shape) return record;
    }
}

bool tracemill_literal_add(const void *address, int64_t shape, const void *record) {
    if (literal_count >= TRACEMILL_LITERALS_MAX / 4 * 3) return false;
    literal_count++;
    for (uint64_t place = tracemill_literal_place(address);; place++) {
        struct tracemill_literal *entry = &tracemill_literals[place % TRACEMILL_LITERALS_MAX];
        if (entry->record) continue;
        entry->address = address;
        entry->shape = shape;
        __atomic_store_n(&entry->record, record, __ATOMIC_RELEASE);
        return true;
    }
}
