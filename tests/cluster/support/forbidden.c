// Preloaded: io_uring is forbidden in this process, as the profiles of containers forbid it.
// FORBID_URING names the call: setup, enter or register; FORBID_ERRNO the error (1: EPERM).
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

__attribute__((constructor)) static void forbid(void) {
  const char* what = getenv("FORBID_URING");
  const char* error = getenv("FORBID_ERRNO");
  if (what == NULL) {
    return;
  }
  unsigned call = __NR_io_uring_setup;
  call = strcmp(what, "enter") == 0 ? __NR_io_uring_enter : call;
  call = strcmp(what, "register") == 0 ? __NR_io_uring_register : call;
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)(error ? atoi(error) : EPERM)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {sizeof(program) / sizeof(program[0]), program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    perror("no filter could be set");
    _Exit(1);
  }
}
