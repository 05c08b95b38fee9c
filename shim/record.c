/* The exit record: one line of text that outlives everything, written where its space was reserved at the start. */
#include "json.h"
#include "shim.h"
#include "syscalls.h"

#define RECORD_MAX 256

static void record_name(char out[32], uint32_t run, const char *suffix) {
    struct text name = {out, 0, 31};
    text_add(&name, "exit.");
    text_number(&name, run, 0);
    text_add(&name, suffix);
    out[name.length] = 0;
}

static int open_reserved(uint32_t run) {
    char name[32];
    record_name(name, run, ".tmp");
    return (int)sys(openat, FD_RECORD_DIRECTORY, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

int record_reserve(uint32_t run) {
    int fd = open_reserved(run);
    if (fd < 0) return fd;
    int error = (int)sys(fallocate, fd, FALLOC_FL_KEEP_SIZE, 0, RECORD_MAX);
    sys(close, fd);
    return error == -EOPNOTSUPP ? 0 : error;
}

void record_discard(uint32_t run) {
    char name[32];
    record_name(name, run, ".tmp");
    sys(unlinkat, FD_RECORD_DIRECTORY, name, 0);
}

static size_t format_record(char *out, const struct shim *shim) {
    struct text text = {out, 0, RECORD_MAX};
    struct __kernel_timespec boot;
    now(CLOCK_BOOTTIME, &boot);
    text_add(&text, "tsdocker-exit version=1 code=");
    if (shim->exited.code < 0) text_add(&text, "-");
    else text_number(&text, (uint64_t)shim->exited.code, 0);
    text_add(&text, " signal=");
    text_number(&text, (uint64_t)shim->exited.signal, 0);
    text_add(&text, shim->core_dumped ? " core=1 finished=" : " core=0 finished=");
    uint64_t finished = shim->exited.finished;
    text.length += format_time(text.at + text.length, (int64_t)(finished / NSEC_PER_SEC), (uint32_t)(finished % NSEC_PER_SEC));
    text_add(&text, " boottime=");
    text_number(&text, (uint64_t)boot.tv_sec, 0);
    text_add(&text, ".");
    text_number(&text, (uint64_t)boot.tv_nsec, 9);
    text_add(&text, "\n");
    return text.length;
}

int record_write(const struct shim *shim) {
    char line[RECORD_MAX], from[32], to[32];
    size_t n = format_record(line, shim);
    int fd = open_reserved(shim->run);
    if (fd < 0) return fd;
    long result = sys(pwrite64, fd, line, n, 0);
    if (result >= 0) result = result == (long)n ? sys(fsync, fd) : -ENOSPC;
    sys(close, fd);
    if (result < 0) return (int)result;
    record_name(from, shim->run, ".tmp");
    record_name(to, shim->run, "");
    result = sys(renameat2, FD_RECORD_DIRECTORY, from, FD_RECORD_DIRECTORY, to, 0);
    return (int)(result < 0 ? result : sys(fsync, FD_RECORD_DIRECTORY));
}
