// Lets user-mode Linux run where a processor has more registers than it knows of (AMX): it restores a program's
// floating-point registers with as many bytes as were known when it was written, and a Linux that keeps more of them
// refuses anything but all (EFAULT), so that the first program of every guest dies. Preloaded, this hands on all: the
// others are as they are in a program that has not asked for them.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif

static long (*real)(enum __ptrace_request, pid_t, void *, void *);
static char all[65536]; // a kernel's stack in user-mode Linux has no room for it; there, one program runs at a time
static size_t size;     // of the registers that this machine's Linux keeps

__attribute__((constructor)) static void start(void) { real = dlsym(RTLD_NEXT, "ptrace"); }

long ptrace(enum __ptrace_request request, ...) {
  va_list more;
  va_start(more, request);
  pid_t pid = va_arg(more, pid_t);
  void *addr = va_arg(more, void *);
  void *data = va_arg(more, void *);
  va_end(more);
  const struct iovec *given = data;
  if (request != PTRACE_SETREGSET || (long)addr != NT_X86_XSTATE || given->iov_len > sizeof all) return real(request, pid, addr, data);
  if (size == 0) {
    struct iovec whole = {all, sizeof all};
    if (real(PTRACE_GETREGSET, pid, addr, &whole) != 0) return real(request, pid, addr, data);
    size = whole.iov_len;
  }
  if (given->iov_len >= size) return real(request, pid, addr, data);
  memcpy(all, given->iov_base, given->iov_len);
  memset(all + given->iov_len, 0, size - given->iov_len);
  struct iovec whole = {all, size};
  return real(request, pid, addr, &whole);
}
