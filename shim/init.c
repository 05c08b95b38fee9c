/*
 * Init of a container: `tsdocker-init <path> -- <argv...>` runs path as its child, forwards signals to it, reaps whatever
 * is orphaned, and ends as the child ended. As pid 1 it gets only signals that somebody blocks or handles: it blocks all.
 */
#include "syscalls.h"

int init_main(int argc, char **argv, char **environment);

struct payload {
    const char *path;
    char **argv, **environment;
};

static void run_payload(void *argument) {
    const struct payload *payload = argument;
    uint64_t no_signals = 0;
    int group = (int)sys(getpid);
    sys(setpgid, 0, 0);
    /* With a terminal its keys (^C) are meant for the payload; without one this fails and nothing is lost. */
    sys(ioctl, 0, TIOCSPGRP, &group);
    sys(rt_sigprocmask, SIG_SETMASK, &no_signals, 0, 8);
    long error = sys(execve, payload->path, payload->argv, payload->environment);
    leave(error == -ENOENT ? 127 : 126);
}

static int exit_code(const struct child_info *child) {
    return child->code == CLD_EXITED ? child->status : 128 + child->status;
}

/* Reaps all that have ended; true when the payload was among them. */
static bool reap(int payload, int *code) {
    for (;;) {
        struct child_info child = {0};
        if (sys(waitid, P_ALL, 0, &child, WEXITED | WNOHANG, 0) < 0 || child.pid == 0) return false;
        if (child.pid != payload) continue;
        *code = exit_code(&child);
        return true;
    }
}

int init_main(int argc, char **argv, char **environment) {
    static uint8_t stack[8192] __attribute__((aligned(16)));
    uint64_t all_signals = ~0ull;
    int code = 127;
    if (argc < 4 || strcmp(argv[2], "--") != 0) return 127;
    struct payload payload = {argv[1], argv + 3, environment};
    sys(rt_sigprocmask, SIG_SETMASK, &all_signals, 0, 8);
    sys(prctl, PR_SET_NAME, "tsdocker-init");
    int pid = (int)clone_by_flags(CLONE_VM | CLONE_VFORK | SIGCHLD, stack + sizeof stack, run_payload, &payload);
    if (pid < 0) return 126;
    while (!reap(pid, &code)) {
        long signal = sys(rt_sigtimedwait, &all_signals, 0, 0, 8);
        if (signal > 0 && signal != SIGCHLD && signal != SIGTTIN && signal != SIGTTOU) sys(kill, pid, signal);
    }
    return code;
}
