// A process whose memory, symbols and files are traps for whoever opens its core dump. The first
// argument names the way in which it crashes.
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NEVER __attribute__((noinline))

// What a debugger looks for to find code that was made while the program ran. The list of this one
// has no end: each entry is followed by the other.
struct jit_code_entry {
    jit_code_entry *next_entry, *prev_entry;
    const char *symfile_addr;
    uint64_t symfile_size;
};
struct jit_descriptor {
    uint32_t version, action_flag;
    jit_code_entry *relevant_entry, *first_entry;
};
extern "C" {
jit_descriptor __jit_debug_descriptor = {1, 0, nullptr, nullptr};
NEVER void __jit_debug_register_code(void) { asm volatile(""); }
}
static jit_code_entry entries[2];
static char no_file[64];

volatile int *nowhere;
volatile int sink;

static void register_a_cycle(void)
{
    for (int i = 0; i < 2; i++)
        entries[i] = {&entries[1 - i], &entries[1 - i], no_file, sizeof no_file};
    __jit_debug_descriptor.first_entry = entries;
}

// The tests replace these bytes in the finished file by a name of their own.
#ifndef INNERMOST
#define INNERMOST placeholder
#endif
extern "C" NEVER int INNERMOST(const char *text)
{
    sink = text[0] == 'x';
    return *nowhere;
}

static const char *map_file(const char *path)
{
    void *memory = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, open(path, O_RDONLY), 0);
    return memory == MAP_FAILED ? nullptr : (const char *)memory;
}

static void *wait_long(void *)
{
    for (;;)
        pause();
}

static void start_threads(int count)
{
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 << 10);
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, &small, wait_long, nullptr))
            _exit(2);
    }
    usleep(100000);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    const char *text = argc > 2 ? argv[2] : "nothing";
    if (!strcmp(mode, "map"))
        text = map_file(argv[2]);
    if (!strcmp(mode, "jit"))
        register_a_cycle();
    if (!strcmp(mode, "threads"))
        start_threads(atoi(argv[2]));
    return INNERMOST(text) + sink;
}
