/* The json-file log of one container: whole entries only, rotation, and what happens when the disk is full. */
#ifndef TSD_LOG_H
#define TSD_LOG_H

#include "base.h"

/* A line longer than this becomes several entries (Docker's rule). */
#define LINE_MAX 16384u

struct log {
    int directory;
    const char *name;
    /* 0: never rotated. */
    uint64_t max_bytes;
    /* Files kept, the current one included. */
    unsigned max_files;

    int fd;
    uint64_t size;
    /* Output bytes lost since the last successful write; told by a marker entry in front of the next one. */
    uint64_t dropped;
    /* The entries collected for the next write, and the output bytes they stand for. */
    size_t batch;
    uint64_t batch_source;
    bool batch_has_marker;
};

/* Opens or creates the file and goes on at its end. Returns 0 or -errno. */
int log_open(struct log *log);
/* Adds one entry, n <= LINE_MAX; written at the next flush, or before when it would not fit. */
void log_entry(struct log *log, const char *stream, const uint8_t *bytes, size_t n);
/* Never blocks for want of space and never fails: what cannot be written is counted as dropped. */
void log_flush(struct log *log);
/* Last chance for the marker of dropped output. */
void log_close(struct log *log);
/* Gives buffer memory back to the kernel; the buffer must be flushed. */
void log_trim(void);

#endif
