// A process in which nothing moves: three threads wait for a mutex that main holds, two for work.
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

#define NEVER __attribute__((noinline))

static std::mutex table, queue;
static std::condition_variable work;

NEVER void look_up(void) { std::lock_guard<std::mutex> held(table); }

NEVER void next_batch(void)
{
    std::unique_lock<std::mutex> held(queue);
    work.wait(held);
}

int main(void)
{
    std::lock_guard<std::mutex> held(table);
    std::vector<std::thread> threads;
    for (int i = 0; i < 5; i++)
        threads.emplace_back(i < 3 ? look_up : next_batch);
    puts("started");
    fflush(stdout);
    threads[0].join();
    return 0;
}
