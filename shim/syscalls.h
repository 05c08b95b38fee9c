/*
 * System calls without libc. Numbers, flags and structs come from the kernel's own headers (linux-libc-dev); what those
 * keep to themselves is defined here with its source. Results are the kernel's: negative is -errno.
 */
#ifndef TSD_SYSCALLS_H
#define TSD_SYSCALLS_H

#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/socket.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/time_types.h>
#include <linux/uio.h>
#include <linux/wait.h>

#include "base.h"

/* include/linux/socket.h */
#define MSG_PEEK 2
#define SHUT_RD 0
#define SOCK_NONBLOCK O_NONBLOCK
#define SOCK_CLOEXEC O_CLOEXEC
struct peer_credentials {
    int pid;
    unsigned uid, gid;
};
/* include/uapi/asm-generic/mman-common.h, mman.h */
#define PROT_READ 1
#define PROT_WRITE 2
#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_ANONYMOUS 0x20
#define MADV_DONTNEED 4
/* include/uapi/asm-generic/{siginfo,signal-defs,signal}.h */
#define CLD_EXITED 1
#define CLD_DUMPED 3
#define SIG_SETMASK 2
#define SIGKILL 9
#define SIGCHLD 17
#define SIGTTIN 21
#define SIGTTOU 22
/* include/uapi/linux/time.h, which cannot be included beside libc's */
#define CLOCK_REALTIME 0
#define CLOCK_THREAD_CPUTIME_ID 3
#define CLOCK_BOOTTIME 7
#define NSEC_PER_SEC 1000000000ull
/* include/uapi/linux/close_range.h, include/uapi/linux/fs.h */
#define CLOSE_RANGE_CLOEXEC 4
#define SEEK_END 2

/* siginfo_t as waitid(2) fills it on 64-bit machines: include/uapi/asm-generic/siginfo.h */
struct child_info {
    int signo, error, code, pad;
    int pid;
    unsigned uid;
    int status;
    int rest[25];
};

#if defined(__x86_64__)
static inline long sys6(long nr, long a, long b, long c, long d, long e, long f) {
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
static inline long sys6(long nr, long a, long b, long c, long d, long e, long f) {
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}
#else
#error "tsdocker-shim runs on x86-64 and arm64"
#endif

#define SYS_PICK(_0, _1, _2, _3, _4, _5, _6, name, ...) name
#define SYS_0(nr) sys6(nr, 0, 0, 0, 0, 0, 0)
#define SYS_1(nr, a) sys6(nr, (long)(a), 0, 0, 0, 0, 0)
#define SYS_2(nr, a, b) sys6(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS_3(nr, a, b, c) sys6(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS_4(nr, a, b, c, d) sys6(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS_5(nr, a, b, c, d, e) sys6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SYS_6(nr, a, b, c, d, e, f) sys6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
/* sys(read, fd, buffer, size): any system call by its name. */
#define sys(...) SYS_EXPAND(SYS_PICK(__VA_ARGS__, SYS_6, SYS_5, SYS_4, SYS_3, SYS_2, SYS_1, SYS_0, 0), __VA_ARGS__)
#define SYS_EXPAND(macro, name, ...) SYS_CALL(macro, __NR_##name __VA_OPT__(, ) __VA_ARGS__)
#define SYS_CALL(macro, ...) macro(__VA_ARGS__)

/*
 * clone3(2) for a child on its own stack: the child runs `entry(argument)` and never returns.
 * The parent gets the child's pid or -errno.
 */
long clone_onto_stack(struct clone_args *args, size_t size, void (*entry)(void *), void *argument);

/*
 * As above with clone(2), for those whom a seccomp filter answers clone3 with ENOSYS, as Docker's does. `top` is the end of
 * the stack, on 16 bytes; flags hold the signal of exit.
 */
long clone_by_flags(unsigned long flags, void *top, void (*entry)(void *), void *argument);

_Noreturn static inline void leave(int code) {
    for (;;) sys(exit_group, code);
}

static inline void now(int clock, struct __kernel_timespec *time) { sys(clock_gettime, clock, time); }

#endif
