/* Tries what a hostile program would, and says of each whether it could: "name yes" or "name no". */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell(const char *name, int could) { printf("%s %s\n", name, could ? "yes" : "no"); }

static int readable(const char *path) {
  char byte;
  int fd = open(path, O_RDONLY);
  return fd >= 0 && read(fd, &byte, 1) == 1;
}

static int writable(const char *folder) {
  char path[4096];
  snprintf(path, sizeof path, "%s/probe-%d", folder, getpid());
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (fd < 0) return 0;
  unlink(path);
  return 1;
}

static int forks(void) {
  long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  if (child < 0) return 0;
  waitpid((pid_t)child, 0, 0);
  return 1;
}

static int runs(const char *program) {
  pid_t child = vfork();
  if (child == 0) {
    execl(program, program, "-c", "exit 0", (char *)0);
    _exit(9);
  }
  int status = 9 << 8;
  if (child > 0) waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int count, char **arguments) {
  const char *canary = count > 1 ? arguments[1] : "/";
  struct rlimit limit;
  tell("canary", readable(canary));
  tell("passwd", readable("/etc/passwd"));
  tell("proc", readable("/proc/self/status"));
  tell("write-root", writable("/"));
  tell("write-tmp", writable("/tmp"));
  tell("write-here", writable("."));
  tell("write-devices", writable("/dev/shm"));
  tell("open-core", readable("/in/core"));
  tell("change-core", open("/in/core", O_WRONLY) >= 0);
  tell("root-user", getuid() == 0);
  tell("socket", socket(AF_INET, SOCK_STREAM, 0) >= 0);
  tell("local-socket", socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
  tell("fork", forks());
  tell("shell", runs("/bin/sh"));
  tell("trace", ptrace(PTRACE_TRACEME, 0, 0, 0) == 0);
  tell("namespace", unshare(CLONE_NEWUSER) == 0);
  tell("memory-file", syscall(SYS_memfd_create, "x", 0) >= 0);
  tell("big-memory", mmap(0, 1UL << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
  getrlimit(RLIMIT_CPU, &limit);
  tell("endless-cpu", limit.rlim_max == RLIM_INFINITY);
  tell("other-process", kill(getppid(), 0) == 0 && getppid() > 1);
  return 0;
}
