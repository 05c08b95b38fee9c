/* The state of one shim, shared by its parts. */
#ifndef TSD_SHIM_H
#define TSD_SHIM_H

#include "log.h"
#include "program.h"
#include "protocol.h"

/* Inherited descriptors; src/drivers/exec/native/shim/launch.ts passes them. 0-2 are /dev/null. */
enum {
    FD_PROGRAM = 3,
    FD_CONTROL = 4,
    FD_LISTENER = 5,
    FD_LOG_DIRECTORY = 6,
    FD_RECORD_DIRECTORY = 7,
    FD_TTY = 8,
    FD_OWN_BINARY = 9,
    /* What the program refers to starts here; above everything that is open at launch, so that it can be closed as one range. */
    FD_FIRST_OF_PROGRAM = 32,
};

#define CONNECTIONS 16

struct connection {
    /* -1: free */
    int fd;
    bool attached;
    /* Its input waits for room in the payload's stdin. */
    bool blocked;
    int input_error;
    struct decoder decoder;
};

struct stream {
    /* -1: ended */
    int fd;
    const char *name;
    enum answer event;
    /* After the payload's end: how much more may be read. A pipe that somebody keeps open never ends by itself. */
    uint64_t left;
    size_t length;
    uint8_t *line;
};

struct shim {
    const char *container;
    uint32_t run;
    /* An exec session: no log, no record, no listener; output goes to connections[0], which may hold it up. */
    bool session;
    int pidfd, input, tty, tty_slave;
    struct log log;
    struct stream streams[2];
    struct connection connections[CONNECTIONS];
    uint32_t flags;
    struct launched launched;
    struct retries retries;
    bool ended, core_dumped;
    /* When the payload is killed if it goes on (CLOCK_BOOTTIME in nanoseconds); 0: never. */
    uint64_t kill_at;
    struct exited exited;
    /* Of the exit record: errno of the last attempt, when the next one is due (CLOCK_BOOTTIME), and how long after that. */
    int record_error;
    uint64_t retry_at;
    uint32_t retry_after;
    /* The session's reader is behind: output stays in the pipe until it has room. */
    bool held_up;
    /* Buffers hold memory that an idle shim does not need. */
    bool trim;
};

/* main.c */
/* CLOCK_BOOTTIME in nanoseconds. */
uint64_t boot_time(void);

/* connections.c */
int kill_payload(const struct shim *shim, uint32_t signal);
void connection_open(struct shim *shim, int fd);
void connection_accept(struct shim *shim);
bool connection_free(const struct shim *shim);
void connection_close(struct connection *connection);
void connection_readable(struct shim *shim, struct connection *connection);
void connection_send(struct connection *connection, enum answer type, const void *payload, size_t n);
/* Tells the end, and hangs up. */
void connection_leave(struct connection *connection, const struct exited *exited);
/* Room for at least one whole output frame. */
bool connection_has_room(const struct connection *connection);

/* streams.c */
void stream_read(struct shim *shim, struct stream *stream);
/* The payload ended: what is readable now is still taken, nothing later. */
void stream_limit(struct stream *stream, bool tty);
/* Logs what is left of a line without an end. */
void stream_finish(struct shim *shim, struct stream *stream);
void streams_trim(void);

/* record.c */
/* Reserves the space of the exit record while there is some. 0 or -errno. */
int record_reserve(uint32_t run);
void record_discard(uint32_t run);
/* Writes exit.<run> durably. 0 or -errno; -ENOENT when its directory is gone. */
int record_write(const struct shim *shim);

#endif
