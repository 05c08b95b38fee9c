/* The payload's stdout and stderr: to the log as lines, to attached clients as they come. */
#include "json.h"
#include "shim.h"
#include "syscalls.h"

static uint8_t lines[2][LINE_MAX] __attribute__((aligned(4096)));

static void to_clients(struct shim *shim, enum answer event, const uint8_t *bytes, size_t n) {
    for (int i = 0; i < CONNECTIONS; i++)
        if (shim->connections[i].fd >= 0 && shim->connections[i].attached)
            connection_send(&shim->connections[i], event, bytes, n);
}

/* Turns whole lines, and a line that fills the buffer, into entries; what is left moves to the front. */
static void to_log(struct shim *shim, struct stream *stream, size_t scanned) {
    size_t start = 0;
    for (size_t i = scanned; i < stream->length; i++) {
        if (stream->line[i] != '\n') continue;
        log_entry(&shim->log, stream->name, stream->line + start, i + 1 - start);
        start = i + 1;
    }
    if (start == 0 && stream->length == LINE_MAX) {
        start = LINE_MAX - utf8_open_tail(stream->line, LINE_MAX);
        log_entry(&shim->log, stream->name, stream->line, start);
    }
    log_flush(&shim->log);
    stream->length -= start;
    memmove(stream->line, stream->line + start, stream->length);
}

static void stream_close(struct shim *shim, struct stream *stream) {
    sys(close, stream->fd);
    /* A terminal is one descriptor for both ways, and the next connection gets its number. */
    if (stream->fd == shim->tty) shim->tty = shim->input = -1;
    stream->fd = -1;
}

void stream_read(struct shim *shim, struct stream *stream) {
    struct connection *reader = &shim->connections[0];
    if (!stream->line) stream->line = lines[stream - shim->streams];
    if (shim->session && reader->fd >= 0 && reader->attached && !connection_has_room(reader)) {
        shim->held_up = true;
        return;
    }
    size_t room = LINE_MAX - stream->length;
    if (shim->ended && room > stream->left) room = stream->left;
    long n = room ? sys(read, stream->fd, stream->line + stream->length, room) : 0;
    if (n == -EAGAIN && !shim->ended) return;
    if (n <= 0) {
        stream_close(shim, stream);
        return;
    }
    if (shim->ended) stream->left -= (uint64_t)n;
    shim->trim = shim->trim || n > 1024;
    to_clients(shim, stream->event, stream->line + stream->length, (size_t)n);
    if (shim->session) return;
    size_t scanned = stream->length;
    stream->length += (size_t)n;
    to_log(shim, stream, scanned);
}

void stream_limit(struct stream *stream, bool tty) {
    int readable = 0;
    if (stream->fd < 0) return;
    /* A terminal's reader cannot know how much is under way; it ends with the last holder or when nothing is left. */
    if (tty) stream->left = 1 << 20;
    else if (sys(ioctl, stream->fd, FIONREAD, &readable) == 0) stream->left = (uint64_t)readable;
}

void stream_finish(struct shim *shim, struct stream *stream) {
    if (shim->session || !stream->length) return;
    log_entry(&shim->log, stream->name, stream->line, stream->length);
    stream->length = 0;
}

void streams_trim(void) { sys(madvise, lines, sizeof lines, MADV_DONTNEED); }
