#include "program.h"

#include "syscalls.h"

#define MAGIC 0x50445354u
#define VERSION 3u
/* Of which version 3 differs by the bound of retries and the flag that has an op retried. */
#define VERSION_BEFORE 2u
#define IGNORES_ERRORS 1
#define RETRIED 2
#define NO_SLOT 255
#define CHILD_STACK 8192

struct op {
    uint32_t nr;
    uint8_t flags, relocate_mask, slot_mask, result_slot;
    uint64_t args[6];
};

_Static_assert(sizeof(struct program_header) == 64, "header layout of program.ts");
_Static_assert(sizeof(struct op) == 56, "op layout of program.ts");

/* In memory that a second child shares. */
struct outcome {
    struct failure failure;
    struct retries retries;
};

struct child {
    const struct program *program;
    const int *stdio;
    struct outcome *outcome;
    int second;
};

static int apply_fixups(uint8_t *base, size_t size, size_t at) {
    uint32_t count;
    if (at + 4 > size) return -EINVAL;
    memcpy(&count, base + at, 4);
    if (count > (size - at - 4) / 4) return -EINVAL;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t offset;
        uint64_t target;
        memcpy(&offset, base + at + 4 + i * 4, 4);
        if (offset % 8 || offset > size - 8) return -EINVAL;
        memcpy(&target, base + offset, 8);
        if (target >= size) return -EINVAL;
        target += (uint64_t)(uintptr_t)base;
        memcpy(base + offset, &target, 8);
    }
    return 0;
}

static bool op_is_sound(const struct op *op, size_t size) {
    if (op->result_slot != NO_SLOT && op->result_slot >= PROGRAM_SLOTS) return false;
    for (int i = 0; i < 6; i++) {
        if (op->relocate_mask >> i & 1 && op->args[i] >= size) return false;
        if (op->slot_mask >> i & 1 && op->args[i] >= PROGRAM_SLOTS) return false;
    }
    return true;
}

int program_prepare(uint8_t *base, size_t size) {
    const struct program_header *header = (const void *)base;
    const struct op *ops = (const void *)(base + sizeof *header);
    if (size < sizeof *header || header->magic != MAGIC) return -ENOEXEC;
    if (header->version != VERSION && header->version != VERSION_BEFORE) return -ENOEXEC;
    if (header->bytes < sizeof *header || header->bytes > size) return -EINVAL;
    if (header->ops > (header->bytes - sizeof *header) / sizeof *ops) return -EINVAL;
    if (header->second_child > header->ops) return -EINVAL;
    if (header->fixups < sizeof *header + header->ops * sizeof *ops) return -EINVAL;
    for (uint32_t i = 0; i < header->ops; i++)
        if (!op_is_sound(ops + i, header->bytes)) return -EINVAL;
    return apply_fixups(base, header->bytes, header->fixups);
}

int program_map(struct program *program, int fd) {
    long size = sys(lseek, fd, 0, SEEK_END);
    if (size <= 0) return size < 0 ? (int)size : -ENOEXEC;
    long base = sys(mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (base < 0) return (int)base;
    program->header = (struct program_header *)base;
    program->mapped = (size_t)size;
    return program_prepare((uint8_t *)base, (size_t)size);
}

void program_unmap(struct program *program) { sys(munmap, program->header, program->mapped); }

/*
 * The first child is in no pid namespace of the container: nobody there can see or trace it, whatever their rights, and it
 * borrows our memory. The second one is, from its first moment: it is born with memory of its own, and with the descriptors and
 * rights that the first one is left with. It is a child of the shim as well. Not clone3, which the container's filter may refuse.
 */
static void become_second(struct child *child) {
    long pid = sys(clone, CLONE_PARENT | CLONE_VFORK | CLONE_PARENT_SETTID, 0, &child->second);
    if (pid < 0) child->outcome->failure = (struct failure){STEP_CLONE, (int)-pid};
    if (pid != 0) leave(0);
}

static uint64_t cpu_microseconds(void) {
    struct __kernel_timespec time;
    now(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

long call_with_retries(const struct call *call, uint32_t tries, uint32_t microseconds, struct retries *retries) {
    const long *a = call->arguments;
    uint64_t end = 0;
    for (uint32_t tried = 1;; tried++) {
        long result = sys6(call->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
        if ((result != -EAGAIN && result != -EINTR) || tried >= tries) return result;
        if (!end) end = cpu_microseconds() + microseconds;
        else if (cpu_microseconds() >= end) return result;
        retries->count++;
    }
}

static void run_child(void *argument) {
    struct child *child = argument;
    const struct program_header *header = child->program->header;
    const struct op *ops = (const void *)(header + 1);
    long slots[PROGRAM_SLOTS] = {child->stdio[0], child->stdio[1], child->stdio[2]};
    sys(prctl, PR_SET_PDEATHSIG, SIGKILL);
    for (uint32_t i = 0; i < header->ops; i++) {
        const struct op *op = ops + i;
        if (i && i == header->second_child) become_second(child);
        struct call call = {.nr = op->nr};
        for (int k = 0; k < 6; k++) {
            long *a = &call.arguments[k];
            *a = (long)op->args[k];
            if (op->relocate_mask >> k & 1) *a += (long)header;
            else if (op->slot_mask >> k & 1) *a = slots[op->args[k]];
        }
        uint32_t tries = op->flags & RETRIED ? header->tries : 1;
        long result = call_with_retries(&call, tries, header->try_microseconds, &child->outcome->retries);
        if (result < 0 && result > -4096 && !(op->flags & IGNORES_ERRORS)) {
            child->outcome->failure = (struct failure){i, (int)-result};
            leave(127);
        }
        if (op->result_slot != NO_SLOT) slots[op->result_slot] = result;
    }
    /* A program that does not end in execve is a mistake of its author. */
    child->outcome->failure = (struct failure){header->ops, ENOEXEC};
    leave(127);
}

/* The first child has done its part: it has ended, and so has the second one unless it runs its program. */
static int second_child(const struct child *child, int *pidfd) {
    struct failure *failure = &child->outcome->failure;
    sys(waitid, P_PIDFD, *pidfd, 0, WEXITED, 0);
    sys(close, *pidfd);
    if (!child->second && failure->step == STEP_NONE) *failure = (struct failure){STEP_CLONE, ESRCH};
    if (failure->step == STEP_NONE && (*pidfd = (int)sys(pidfd_open, child->second, 0)) < 0)
        *failure = (struct failure){STEP_CLONE, -*pidfd};
    if (failure->step == STEP_NONE) return child->second;
    if (child->second) sys(waitid, P_PID, child->second, 0, WEXITED, 0);
    return 0;
}

static int launch_into(const struct program_header *header, struct child *child, int *pidfd) {
    static uint8_t stack[CHILD_STACK] __attribute__((aligned(16)));
    struct clone_args args = {
        /* The child borrows our memory until execve. */
        .flags = header->clone_flags | CLONE_VM | CLONE_VFORK | CLONE_PIDFD,
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
        .stack = (uint64_t)(uintptr_t)stack,
        .stack_size = sizeof stack,
        .cgroup = header->cgroup_fd >= 0 ? (uint64_t)header->cgroup_fd : 0,
    };
    if (header->cgroup_fd >= 0) args.flags |= CLONE_INTO_CGROUP;
    long pid = clone_onto_stack(&args, sizeof args, run_child, child);
    if (pid < 0) {
        child->outcome->failure = (struct failure){STEP_CLONE, (int)-pid};
        return 0;
    }
    if (header->second_child) return second_child(child, pidfd);
    if (child->outcome->failure.step == STEP_NONE) return (int)pid;
    sys(waitid, P_PIDFD, *pidfd, 0, WEXITED, 0);
    sys(close, *pidfd);
    return 0;
}

int program_launch(const struct program *program, const int stdio[3], int *pidfd, struct failure *failure, struct retries *retries) {
    /* A second child has no other memory in common with us. */
    long shared = sys(mmap, 0, sizeof(struct outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared < 0) {
        *failure = (struct failure){STEP_CLONE, (int)-shared};
        return 0;
    }
    struct child child = {program, stdio, (struct outcome *)shared, 0};
    *child.outcome = (struct outcome){{STEP_NONE, 0}, {0}};
    int pid = launch_into(program->header, &child, pidfd);
    *failure = child.outcome->failure;
    *retries = child.outcome->retries;
    sys(munmap, shared, sizeof(struct outcome));
    return pid;
}
