#include "log.h"

#include "json.h"
#include "syscalls.h"

#define ENTRY_MAX (LINE_MAX * JSON_WORST + 128)

static char buffer[ENTRY_MAX + 4096] __attribute__((aligned(4096)));

int log_open(struct log *log) {
    char last = '\n';
    int fd = (int)sys(openat, log->directory, log->name, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return log->fd = -1, fd;
    long size = sys(lseek, fd, 0, SEEK_END);
    log->fd = fd;
    log->size = size < 0 ? 0 : (uint64_t)size;
    /* A crash of the host can leave half an entry: ours begin on a line of their own. */
    if (log->size && sys(pread64, fd, &last, 1, size - 1) == 1 && last != '\n' && sys(write, fd, "\n", 1) == 1) log->size++;
    return 0;
}

static void numbered(const struct log *log, char *out, size_t room, unsigned number) {
    struct text text = {out, 0, room - 1};
    text_add(&text, log->name);
    if (number) {
        text_add(&text, ".");
        text_number(&text, number, 0);
    }
    out[text.length] = 0;
}

/* Shifts name.1 to name.2 and so on, name to name.1. When that fails the log goes on in the same file. */
static void rotate(struct log *log) {
    char from[256], to[256];
    if (log->max_files <= 1) {
        if (sys(ftruncate, log->fd, 0) == 0) log->size = 0;
        return;
    }
    for (unsigned number = log->max_files - 1; number > 0; number--) {
        numbered(log, from, sizeof from, number - 1);
        numbered(log, to, sizeof to, number);
        long result = sys(renameat2, log->directory, from, log->directory, to, 0);
        if (result < 0 && number == 1) return;
    }
    sys(close, log->fd);
    log_open(log);
}

static bool write_whole(struct log *log) {
    if (log->fd < 0 && log_open(log) < 0) return false;
    for (size_t done = 0; done < log->batch;) {
        long n = sys(write, log->fd, buffer + done, log->batch - done);
        if (n <= 0) {
            /* Readers see whole entries or none. */
            if (done) sys(ftruncate, log->fd, log->size);
            return false;
        }
        done += (size_t)n;
    }
    log->size += log->batch;
    return true;
}

void log_flush(struct log *log) {
    if (!log->batch) return;
    if (!write_whole(log)) log->dropped += log->batch_source;
    else if (log->batch_has_marker) log->dropped = 0;
    log->batch = 0;
    log->batch_source = 0;
    log->batch_has_marker = false;
}

static void add_entry(struct log *log, const char *stream, const uint8_t *bytes, size_t n) {
    struct __kernel_timespec time;
    struct text text = {buffer + log->batch, 0, sizeof buffer - log->batch};
    now(CLOCK_REALTIME, &time);
    text_add(&text, "{\"log\":\"");
    text.length += json_escape(text.at + text.length, bytes, n);
    text_add(&text, "\",\"stream\":\"");
    text_add(&text, stream);
    text_add(&text, "\",\"time\":\"");
    text.length += format_time(text.at + text.length, time.tv_sec, (uint32_t)time.tv_nsec);
    text_add(&text, "\"}\n");
    log->batch += text.length;
}

static void add_marker(struct log *log) {
    char words[96];
    struct text text = {words, 0, sizeof words};
    text_add(&text, "[tsdocker: ");
    text_number(&text, log->dropped, 0);
    text_add(&text, " bytes of output dropped, the log could not be written]\n");
    add_entry(log, "stderr", (const uint8_t *)words, text.length);
    log->batch_has_marker = true;
}

/* True when the last entry, `length` bytes, takes the file over its cap and there is something before it to rotate. */
static bool over_cap(const struct log *log, size_t length) {
    return log->max_bytes && log->size + log->batch > log->max_bytes && log->size + log->batch > length;
}

void log_entry(struct log *log, const char *stream, const uint8_t *bytes, size_t n) {
    if (log->batch + n * JSON_WORST + 128 > sizeof buffer) log_flush(log);
    if (!log->batch && log->dropped) add_marker(log);
    if (log->batch + n * JSON_WORST + 128 > sizeof buffer) log_flush(log);
    size_t before = log->batch;
    add_entry(log, stream, bytes, n);
    size_t length = log->batch - before;
    if (log->fd >= 0 && over_cap(log, length)) {
        log->batch = before;
        log_flush(log);
        rotate(log);
        memmove(buffer, buffer + before, length);
        log->batch = length;
    }
    log->batch_source += n;
}

void log_close(struct log *log) {
    log_flush(log);
    if (log->dropped) {
        add_marker(log);
        log_flush(log);
    }
}

void log_trim(void) { sys(madvise, buffer, sizeof buffer & ~4095ul, MADV_DONTNEED); }
