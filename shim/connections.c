/* Clients of the shim: the supervisor that started it, later ones, and attach sessions. */
#include "shim.h"
#include "syscalls.h"

#define INPUT_CHUNK 4096
/* An attached client that has not read this much is disconnected: the payload must not wait for it. */
#define ATTACH_BACKLOG (4 << 20)

static uint8_t scratch[INPUT_CHUNK];

void connection_open(struct shim *shim, int fd) {
    for (int i = 0; i < CONNECTIONS; i++) {
        struct connection *connection = &shim->connections[i];
        if (connection->fd >= 0) continue;
        *connection = (struct connection){.fd = fd};
        return;
    }
    sys(close, fd);
}

bool connection_free(const struct shim *shim) {
    for (int i = 0; i < CONNECTIONS; i++)
        if (shim->connections[i].fd < 0) return true;
    return false;
}

void connection_accept(struct shim *shim) {
    struct peer_credentials peer = {0, ~0u, ~0u};
    unsigned size = sizeof peer;
    int fd = (int)sys(accept4, FD_LISTENER, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (sys(getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != 0) sys(close, fd);
    else connection_open(shim, fd);
}

void connection_close(struct connection *connection) {
    sys(close, connection->fd);
    *connection = (struct connection){.fd = -1};
}

void connection_send(struct connection *connection, enum answer type, const void *payload, size_t n) {
    uint8_t header[FRAME_HEADER];
    struct iovec parts[2] = {{header, sizeof header}, {(void *)(uintptr_t)payload, n}};
    encode_header(header, (uint16_t)type, (uint32_t)n);
    if (sys(writev, connection->fd, parts, 2) != (long)(sizeof header + n)) connection_close(connection);
}

/* A socket closed with requests unread in it resets the peer's, which then loses what it has not read: none is left. */
void connection_leave(struct connection *connection, const struct exited *exited) {
    connection_send(connection, EVENT_EXIT, exited, sizeof *exited);
    if (connection->fd < 0) return;
    sys(shutdown, connection->fd, SHUT_RD);
    while (sys(recvfrom, connection->fd, scratch, sizeof scratch, 0, 0, 0) > 0) continue;
    connection_close(connection);
}

bool connection_has_room(const struct connection *connection) {
    struct pollfd poll = {connection->fd, POLLOUT, 0};
    struct __kernel_timespec none = {0, 0};
    return sys(ppoll, &poll, 1, &none, 0, 8) > 0;
}

static void answer(struct connection *connection, int error) {
    struct {
        uint32_t request;
        int32_t error;
    } result = {connection->decoder.type, error};
    connection_send(connection, ANSWER_RESULT, &result, sizeof result);
}

static int attach(struct connection *connection) {
    int backlog = ATTACH_BACKLOG;
    connection->attached = true;
    return (int)-sys(setsockopt, connection->fd, SOL_SOCKET, SO_SNDBUFFORCE, &backlog, sizeof backlog);
}

int kill_payload(const struct shim *shim, uint32_t signal) {
    if (shim->ended) return ESRCH;
    /* The first process of a session leads a group of its own: what it started ends with it. */
    if (shim->session && signal == SIGKILL) return (int)-sys(kill, -(long)shim->launched.pid, SIGKILL);
    return (int)-sys(pidfd_send_signal, shim->pidfd, signal, 0, 0);
}

static int end_payload(struct shim *shim, uint32_t signal, uint32_t milliseconds) {
    int error = kill_payload(shim, signal);
    if (!error) shim->kill_at = milliseconds == NEVER ? 0 : boot_time() + milliseconds * 1000000ull;
    return error;
}

static int end_input(struct shim *shim) {
    /* On a terminal the end of input is a character: ^D. */
    if (shim->tty >= 0) return sys(write, shim->tty, "\4", 1) == 1 ? 0 : EAGAIN;
    if (shim->input < 0) return EPIPE;
    sys(close, shim->input);
    shim->input = -1;
    return 0;
}

static int resize(const struct shim *shim, const struct decoder *decoder) {
    uint16_t size[4] = {(uint16_t)decoder_number(decoder, 0, 2), (uint16_t)decoder_number(decoder, 2, 2), 0, 0};
    if (shim->tty < 0) return ENOTTY;
    return (int)-sys(ioctl, shim->tty, TIOCSWINSZ, size);
}

static void send_status(const struct shim *shim, struct connection *connection) {
    struct status status = {.launched = shim->launched, .run = shim->run, .ended = shim->ended, .flags = shim->flags, .record_error = shim->record_error};
    memcpy(status.container, shim->container, strlen(shim->container));
    connection_send(connection, ANSWER_STATUS, &status, sizeof status);
}

static void serve(struct shim *shim, struct connection *connection) {
    struct decoder *decoder = &connection->decoder;
    int error = 0;
    switch (decoder->type) {
        case REQUEST_STATUS: send_status(shim, connection); return;
        case REQUEST_KILL: error = kill_payload(shim, decoder_number(decoder, 0, 4)); break;
        case REQUEST_ATTACH: error = attach(connection); break;
        case REQUEST_DETACH: connection->attached = false; break;
        case REQUEST_INPUT: error = connection->input_error; break;
        case REQUEST_INPUT_END: error = end_input(shim); break;
        case REQUEST_RESIZE: error = resize(shim, decoder); break;
        case REQUEST_END: error = end_payload(shim, decoder_number(decoder, 0, 4), decoder_number(decoder, 4, 4)); break;
        default: error = ENOSYS;
    }
    answer(connection, error);
}

/* How many of the bytes the payload took; -EAGAIN when it has no room. Input that nobody can read any more is taken and lost. */
static long give_input(struct shim *shim, struct connection *connection, const uint8_t *bytes, long n) {
    long given = shim->input < 0 ? -EPIPE : sys(write, shim->input, bytes, n);
    if (given >= 0 || given == -EAGAIN) return given;
    connection->input_error = (int)-given;
    return n;
}

/*
 * Looks at what has arrived before taking it from the socket, so that whatever the payload has no room for waits there and
 * holds up its sender.
 */
void connection_readable(struct shim *shim, struct connection *connection) {
    struct decoder *decoder = &connection->decoder;
    long n = sys(recvfrom, connection->fd, scratch, sizeof scratch, MSG_PEEK, 0, 0);
    if (n == -EAGAIN) return;
    if (n <= 0) {
        connection_close(connection);
        return;
    }
    long taken;
    if (decoder_in_input(decoder)) {
        taken = give_input(shim, connection, scratch, n < (long)decoder->left ? n : (long)decoder->left);
        connection->blocked = taken == -EAGAIN;
        if (taken <= 0) return;
        decoder->left -= (uint32_t)taken;
    } else {
        taken = (long)decoder_take(decoder, scratch, (size_t)n);
    }
    sys(recvfrom, connection->fd, scratch, taken, 0, 0, 0);
    if (!decoder_complete(decoder)) return;
    serve(shim, connection);
    decoder_reset(decoder);
    connection->input_error = 0;
}
