// Ways in which a runtime library ends a program by itself.
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#define NEVER __attribute__((noinline))

static volatile size_t sink;

NEVER void free_twice(void)
{
    char *block = (char *)malloc(24);
    free(block);
    free(block);
}

NEVER void read_beyond(void)
{
    std::vector<int> rows(3);
    sink = rows.at(sink + 7);
}

NEVER void allocate_too_much(void)
{
    std::vector<char> rows((size_t)1 << 46);
    sink = rows[sink];
}

NEVER void drop_thread(void) { std::thread worker([] { sleep(9); }); }

NEVER void throw_own(void) { throw std::runtime_error("nobody catches this"); }

NEVER void write_over_the_stack(const char *text)
{
    char name[8];
    strcpy(name, text);
    sink = name[sink];
}

int main(int, char **argv)
{
    std::string mode = argv[1];
    if (mode == "free-twice")
        free_twice();
    if (mode == "read-beyond")
        read_beyond();
    if (mode == "allocate-too-much")
        allocate_too_much();
    if (mode == "drop-thread")
        drop_thread();
    if (mode == "throw-own")
        throw_own();
    if (mode == "write-over-the-stack")
        write_over_the_stack("much more than eight characters, and then some more of them");
    return 0;
}
