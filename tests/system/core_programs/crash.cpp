// Crashes in the way that its first argument names. The code avoids the heavy headers of C++: the
// tests build it in every run.
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifndef INNER
#define INNER read_tensor
#endif
#define NEVER __attribute__((noinline))
#define ALWAYS static inline __attribute__((always_inline))

volatile int sink;

struct Options {
    int layers;
    const char *path;
};

ALWAYS int INNER(const int *data, int at)
{
    sink = at;
    int value = *(const volatile int *)&data[at];
    sink = value;
    return value;
}
ALWAYS int scale_row(const int *data, int at) { return INNER(data, at * 2) + sink; }

NEVER int load_model(const int *data, const Options &options, const char *name)
{
    int value = scale_row(data, options.layers);
    sink = value + (int)strlen(name);
    return value;
}

// The compiler is kept from turning the recursion into a loop by the work after the call.
NEVER int descend(int depth, const int *data)
{
    if (depth == 0)
        return *data;
    int value = descend(depth - 1, data);
    sink = value;
    return value + sink;
}

template <int N> struct Fold {
    ALWAYS int run(const int *data) { return Fold<N - 1>::run(data) + sink; }
};
template <> struct Fold<0> {
    ALWAYS int run(const int *data) { return INNER(data, 0); }
};

// Real calls from one place, each with inlined frames of its own: only the stack tells them apart.
NEVER int bounce(int depth, const int *data);
ALWAYS int hop(int depth, const int *data) { return bounce(depth - 1, data) + sink; }
NEVER int bounce(int depth, const int *data)
{
    if (depth == 0)
        return Fold<2>::run(data);
    int value = hop(depth, data);
    sink = value;
    return value;
}

NEVER void give_up(void)
{
    abort();
}

static void on_signal(int)
{
    give_up();
}

static int compare_rows(const void *, const void *) { return INNER((const int *)(long)sink, 0); }

static void sort_rows(void)
{
    int rows[] = {3, 1, 2};
    qsort(rows, 3, sizeof *rows, compare_rows);
}

static void *wait_long(void *)
{
    for (;;)
        pause();
}

static void *fail_in_thread(void *)
{
    prctl(PR_SET_NAME, "claw_infer");
    give_up();
    return nullptr;
}

static void start(void *(*body)(void *), int count)
{
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        pthread_create(&thread, nullptr, body, nullptr);
    }
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "null";
    const int *nothing = (const int *)(long)sink;
    Options options = {argc, mode};
    prctl(PR_SET_NAME, "claw_main");
    if (!strcmp(mode, "threads")) {
        start(wait_long, 4);
        usleep(50000);
    }
    if (!strcmp(mode, "abort-in-thread")) {
        start(fail_in_thread, 1);
        wait_long(nullptr);
    }
    if (!strcmp(mode, "handler"))
        signal(SIGSEGV, on_signal);
    if (!strcmp(mode, "jump"))
        ((void (*)(void))nothing)();
    if (!strcmp(mode, "divide"))
        sink = argc / sink;
    else if (!strcmp(mode, "recursion"))
        sink = descend(atoi(argv[2]), nothing);
    else if (!strcmp(mode, "callback"))
        sort_rows();
    else if (!strcmp(mode, "bounce"))
        sink = bounce(argc > 2 ? atoi(argv[2]) : 3, nothing);
    else
        sink = load_model(nothing, options, mode);
    return sink;
}
