/* Runs a syscall program; its layout is described in src/drivers/exec/native/program/program.ts. */
#ifndef TSD_PROGRAM_H
#define TSD_PROGRAM_H

#include "base.h"
#include "protocol.h"

#define PROGRAM_TTY 1u
#define PROGRAM_STDIN 2u
#define PROGRAM_SLOTS 32

struct program_header {
    uint32_t magic, version, ops, bytes;
    uint64_t clone_flags;
    int32_t cgroup_fd;
    /* Index of the op that a second child goes on with, 0 none. */
    uint32_t second_child, tries, flags;
    uint32_t fixups, try_microseconds;
    uint64_t reserved[2];
};

struct program {
    struct program_header *header;
    size_t mapped;
};

/* Where and why it did not work; step is STEP_NONE when it did. */
struct failure {
    uint32_t step;
    int error;
};

/* How often ops were tried again. */
struct retries {
    uint32_t count;
};

struct call {
    uint32_t nr;
    long arguments[6];
};

/*
 * Carries out a system call, and again while it answers EAGAIN or EINTR: at most `tries` times in all, and for no longer than
 * `microseconds` of processor time. Returns the last answer and adds the further tries to `retries`.
 */
long call_with_retries(const struct call *call, uint32_t tries, uint32_t microseconds, struct retries *retries);

/* Checks that header, ops and fixups lie inside `size` bytes and turns the fixups into addresses. 0 or -errno. */
int program_prepare(uint8_t *base, size_t size);
/* Maps the program in `fd`, private to this process. 0 or -errno. */
int program_map(struct program *program, int fd);
void program_unmap(struct program *program);
/*
 * Clones the child and has it run the ops, with stdio[0..2] in slots 0-2. Returns the child's pid and sets its pidfd, or 0
 * with `failure` set; `retries` is set in any case. The caller is suspended until the child's execve or failure. Where
 * there is a second child, it is that one.
 */
int program_launch(const struct program *program, const int stdio[3], int *pidfd, struct failure *failure, struct retries *retries);

#endif
