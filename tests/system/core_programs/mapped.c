/* Crashes in a function whose argument is a text in a file that is mapped and never dumped. */
#include <fcntl.h>
#include <sys/mman.h>

__attribute__((noinline)) int show(const char *text) {
  volatile int *nowhere = 0;
  *nowhere = text[0];
  return text[1];
}

int main(int count, char **arguments) {
  int fd = open(arguments[count - 1], O_RDONLY);
  return show(mmap(0, 4096, PROT_READ, MAP_PRIVATE, fd, 0));
}
