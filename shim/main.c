/*
 * tsdocker-shim: the parent of one container's payload, or of one exec session in a container.
 *
 *   tsdocker-shim <container id> <run> <log name> <max bytes> <max files>
 *   tsdocker-shim <container id>                                            an exec session
 *
 * It executes the syscall program it inherits, keeps the payload's stdio, writes the log, answers on its sockets, records
 * how the payload ended, and leaves. It decides nothing: that is the supervisor's business, which may come and go.
 */
#include "program.h"
#include "shim.h"
#include "syscalls.h"

#define TRIM_AFTER_SECONDS 1

int shim_main(int argc, char **argv);

static struct shim shim;

static int close_both(int a, int b) {
    if (a >= 0) sys(close, a);
    if (b >= 0) sys(close, b);
    return -1;
}

/* One end for us, not blocking, one in the child's slot. 0 or -errno. */
static int make_pipe(int *ours, int *theirs, bool input) {
    int ends[2];
    int error = (int)sys(pipe2, ends, O_CLOEXEC);
    if (error < 0) return error;
    *ours = ends[input];
    *theirs = ends[!input];
    return (int)sys(fcntl, *ours, F_SETFL, O_NONBLOCK);
}

static int make_terminal(int stdio[3]) {
    int slave = (int)sys(ioctl, FD_TTY, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) return slave;
    /* Held until the payload ends: without a holder the master reports the end of the terminal. */
    shim.tty_slave = stdio[0] = stdio[1] = stdio[2] = slave;
    shim.tty = shim.input = shim.streams[0].fd = FD_TTY;
    return (int)sys(fcntl, FD_TTY, F_SETFL, O_RDWR | O_NONBLOCK);
}

static int make_stdio(uint32_t flags, int stdio[3]) {
    int error;
    if (flags & PROGRAM_TTY) return make_terminal(stdio);
    if (flags & PROGRAM_STDIN) error = make_pipe(&shim.input, &stdio[0], true);
    else error = stdio[0] = (int)sys(fcntl, 0, F_DUPFD_CLOEXEC, FD_OWN_BINARY);
    if (error >= 0) error = make_pipe(&shim.streams[0].fd, &stdio[1], false);
    if (error >= 0) error = make_pipe(&shim.streams[1].fd, &stdio[2], false);
    return error < 0 ? error : 0;
}

/* Field 22 of /proc/<pid>/stat; what stands before it may hold anything up to the last ')'. 0 when it cannot be read. */
static uint64_t start_time(int pid) {
    char path[32], stat[1024];
    struct text text = {path, 0, sizeof path - 1};
    text_add(&text, "/proc/");
    text_number(&text, (uint64_t)pid, 0);
    text_add(&text, "/stat");
    path[text.length] = 0;
    int fd = (int)sys(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    long n = fd < 0 ? 0 : sys(read, fd, stat, sizeof stat - 1);
    if (fd >= 0) sys(close, fd);
    if (n <= 0) return 0;
    stat[n] = 0;
    char *at = stat + n;
    while (at > stat && *at != ')') at--;
    for (int spaces = 0; *at && spaces < 20; at++) spaces += *at == ' ';
    return parse_number(at);
}

/* Everything up to the payload's execve. Steps as the protocol names them. */
static struct failure launch(void) {
    struct program program;
    struct failure failure = {STEP_NONE, 0};
    int stdio[3] = {-1, -1, -1};
    int error = program_map(&program, FD_PROGRAM);
    if (error < 0) return (struct failure){STEP_PROGRAM, -error};
    if (!shim.session && (error = log_open(&shim.log)) < 0) return (struct failure){STEP_LOG, -error};
    if (!shim.session && (error = record_reserve(shim.run)) < 0) return (struct failure){STEP_RECORD, -error};
    shim.flags = program.header->flags;
    if ((error = make_stdio(shim.flags, stdio)) < 0) return (struct failure){STEP_STDIO, -error};
    int oom = (int)sys(openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    /* The payload starts from the kernel's default whatever ours was; only this process is spared afterwards. */
    sys(write, oom, "0", 1);
    shim.launched.pid = program_launch(&program, stdio, &shim.pidfd, &failure, &shim.retries);
    sys(write, oom, "-999", 4);
    sys(close, oom);
    if (stdio[0] != shim.tty_slave) close_both(stdio[0], close_both(stdio[1], stdio[2]));
    program_unmap(&program);
    return failure;
}

static void report_launch(struct failure failure) {
    struct __kernel_timespec time;
    now(CLOCK_REALTIME, &time);
    shim.launched.step = failure.step;
    shim.launched.error = failure.error;
    shim.launched.shim_pid = (uint32_t)sys(getpid);
    shim.launched.started = (uint64_t)time.tv_sec * NSEC_PER_SEC + (uint64_t)time.tv_nsec;
    if (failure.step == STEP_NONE && !shim.session) shim.launched.start_time = start_time(shim.launched.pid);
    struct launch_report report = {shim.launched, shim.retries.count, 0};
    connection_send(&shim.connections[0], EVENT_LAUNCHED, &report, sizeof report);
}

static void payload_ended(void) {
    struct child_info child = {0};
    struct __kernel_timespec time;
    sys(waitid, P_PIDFD, shim.pidfd, &child, WEXITED, 0);
    now(CLOCK_REALTIME, &time);
    shim.ended = true;
    shim.core_dumped = child.code == CLD_DUMPED;
    shim.exited.code = child.code == CLD_EXITED ? child.status : -1;
    shim.exited.signal = child.code == CLD_EXITED ? 0 : child.status;
    shim.exited.finished = (uint64_t)time.tv_sec * NSEC_PER_SEC + (uint64_t)time.tv_nsec;
    if (shim.tty_slave >= 0) sys(close, shim.tty_slave);
    for (int i = 0; i < 2; i++) stream_limit(&shim.streams[i], shim.tty >= 0);
}

uint64_t boot_time(void) {
    struct __kernel_timespec time;
    now(CLOCK_BOOTTIME, &time);
    return (uint64_t)time.tv_sec * NSEC_PER_SEC + (uint64_t)time.tv_nsec;
}

static uint64_t boot_seconds(void) { return boot_time() / NSEC_PER_SEC; }

/* A disk that takes nothing may be mended, or be gone for good: it is asked less and less often, and whoever listens is told once. */
static void record_failed(int error) {
    bool news = shim.record_error != error;
    shim.record_error = error;
    shim.retry_after = retry_delay(shim.retry_after);
    shim.retry_at = boot_seconds() + shim.retry_after;
    for (int i = 0; news && i < CONNECTIONS; i++)
        if (shim.connections[i].fd >= 0) connection_send(&shim.connections[i], EVENT_UNRECORDED, &shim.record_error, sizeof shim.record_error);
}

/* True when everything is written and told. */
static bool finish(void) {
    for (int i = 0; i < 2; i++) stream_finish(&shim, &shim.streams[i]);
    if (!shim.session) {
        if (boot_seconds() < shim.retry_at) return false;
        log_close(&shim.log);
        int error = record_write(&shim);
        /* Without its directory nobody can ask for the record any more. */
        if (error < 0 && error != -ENOENT) {
            record_failed(-error);
            return false;
        }
    }
    for (int i = 0; i < CONNECTIONS; i++)
        if (shim.connections[i].fd >= 0) connection_leave(&shim.connections[i], &shim.exited);
    return true;
}

enum { POLL_PAYLOAD, POLL_STREAMS, POLL_LISTENER = POLL_STREAMS + 2, POLL_INPUT, POLL_CONNECTIONS, POLLED = POLL_CONNECTIONS + CONNECTIONS };

static void want(struct pollfd *poll, bool wanted, int fd, short events) {
    *poll = (struct pollfd){wanted ? fd : -1, events, 0};
}

static void prepare_poll(struct pollfd polls[POLLED]) {
    bool blocked = false;
    for (int i = 0; i < CONNECTIONS; i++) {
        struct connection *connection = &shim.connections[i];
        connection->blocked = connection->blocked && shim.input >= 0;
        /* Without an event to wait for, poll still tells of a client that is gone. */
        short events = connection->blocked ? 0 : POLLIN;
        if (i == 0 && shim.held_up) events |= POLLOUT;
        blocked = blocked || connection->blocked;
        want(&polls[POLL_CONNECTIONS + i], connection->fd >= 0, connection->fd, events);
    }
    want(&polls[POLL_PAYLOAD], !shim.ended, shim.pidfd, POLLIN);
    want(&polls[POLL_INPUT], blocked, shim.input, POLLOUT);
    want(&polls[POLL_LISTENER], !shim.session && connection_free(&shim), FD_LISTENER, POLLIN);
    for (int i = 0; i < 2; i++) want(&polls[POLL_STREAMS + i], !shim.held_up, shim.streams[i].fd, POLLIN);
}

static void serve_poll(const struct pollfd polls[POLLED]) {
    if (polls[POLL_INPUT].revents)
        for (int i = 0; i < CONNECTIONS; i++) shim.connections[i].blocked = false;
    if (polls[POLL_CONNECTIONS].revents & (POLLOUT | POLLHUP | POLLERR)) shim.held_up = false;
    for (int i = 0; i < CONNECTIONS; i++) {
        struct connection *connection = &shim.connections[i];
        short seen = polls[POLL_CONNECTIONS + i].revents;
        if (connection->blocked && seen & (POLLHUP | POLLERR)) connection_close(connection);
        else if (seen & (POLLIN | POLLHUP | POLLERR)) connection_readable(&shim, connection);
    }
    if (polls[POLL_LISTENER].revents) connection_accept(&shim);
    /* Output before the end: the payload's last words are in the pipe when its pidfd becomes readable. */
    for (int i = 0; i < 2; i++)
        if (shim.streams[i].fd >= 0 && !shim.held_up && (polls[POLL_STREAMS + i].revents || shim.ended))
            stream_read(&shim, &shim.streams[i]);
    if (polls[POLL_PAYLOAD].revents) payload_ended();
}

static void trim(void) {
    log_trim();
    if (!shim.streams[0].length && !shim.streams[1].length) streams_trim();
    shim.trim = false;
}

/* Nanoseconds until the payload is killed; kills it when there are none left. UINT64_MAX when nothing is due. */
static uint64_t until_kill(void) {
    if (!shim.kill_at || shim.ended) return ~0ull;
    uint64_t time = boot_time();
    if (time < shim.kill_at) return shim.kill_at - time;
    shim.kill_at = 0;
    kill_payload(&shim, SIGKILL);
    return ~0ull;
}

/* Who connected before the payload began, and asked first of all to be attached, hears its first word. */
static void serve_early(void) {
    struct pollfd poll = {FD_LISTENER, POLLIN, 0};
    struct __kernel_timespec none = {0, 0};
    for (int i = 0; i < CONNECTIONS && !shim.session && connection_free(&shim); i++)
        if (sys(ppoll, &poll, 1, &none, 0, 8) > 0) connection_accept(&shim);
    for (int i = 0; i < CONNECTIONS; i++)
        if (shim.connections[i].fd >= 0) connection_readable(&shim, &shim.connections[i]);
}

static void serve_until_end(void) {
    struct pollfd polls[POLLED];
    serve_early();
    for (;;) {
        bool drained = shim.streams[0].fd < 0 && shim.streams[1].fd < 0;
        struct __kernel_timespec timeout = {TRIM_AFTER_SECONDS, 0};
        struct __kernel_timespec *limit = shim.trim ? &timeout : 0;
        if (shim.ended && drained) {
            if (finish()) return;
            uint64_t seconds = boot_seconds();
            timeout.tv_sec = seconds < shim.retry_at ? (int64_t)(shim.retry_at - seconds) : 0;
            limit = &timeout;
        } else if (shim.ended && !shim.held_up) {
            timeout.tv_sec = 0;
            limit = &timeout;
        }
        uint64_t left = until_kill();
        if (left < (limit ? TRIM_AFTER_SECONDS * NSEC_PER_SEC : ~0ull)) {
            timeout = (struct __kernel_timespec){(int64_t)(left / NSEC_PER_SEC), (int64_t)(left % NSEC_PER_SEC)};
            limit = &timeout;
        }
        prepare_poll(polls);
        long ready = sys(ppoll, polls, POLLED, limit, 0, 8);
        if (ready > 0 || shim.ended) serve_poll(polls);
        else if (shim.trim) trim();
    }
}

static void initialise(int argc, char **argv) {
    uint64_t all_signals = ~0ull;
    shim.container = argv[1];
    shim.session = argc < 6;
    shim.pidfd = shim.input = shim.tty = shim.tty_slave = -1;
    shim.streams[0] = (struct stream){.fd = -1, .name = "stdout", .event = EVENT_STDOUT};
    shim.streams[1] = (struct stream){.fd = -1, .name = "stderr", .event = EVENT_STDERR};
    for (int i = 0; i < CONNECTIONS; i++) shim.connections[i].fd = -1;
    if (!shim.session) {
        shim.run = (uint32_t)parse_number(argv[2]);
        shim.log = (struct log){.directory = FD_LOG_DIRECTORY, .name = argv[3], .fd = -1};
        shim.log.max_bytes = parse_number(argv[4]);
        shim.log.max_files = (unsigned)parse_number(argv[5]);
    }
    /* Nothing but SIGKILL ends us; the program resets the mask that the child inherits. */
    sys(rt_sigprocmask, SIG_SETMASK, &all_signals, 0, 8);
    sys(prctl, PR_SET_NAME, "tsdocker-shim");
    sys(close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
    sys(fcntl, FD_CONTROL, F_SETFL, O_RDWR | O_NONBLOCK);
    connection_open(&shim, FD_CONTROL);
    shim.connections[0].attached = shim.session;
}

int shim_main(int argc, char **argv) {
    if (argc < 2 || strlen(argv[1]) > sizeof((struct status *)0)->container) return 2;
    initialise(argc, argv);
    struct failure failure = launch();
    if (failure.step != STEP_NONE && !shim.session) record_discard(shim.run);
    /* What the program needed is the child's now. */
    sys(close, FD_PROGRAM);
    sys(close, FD_OWN_BINARY);
    sys(close_range, FD_FIRST_OF_PROGRAM, ~0u, 0);
    report_launch(failure);
    if (failure.step != STEP_NONE) return 1;
    serve_until_end();
    return 0;
}
