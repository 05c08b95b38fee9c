/*
 * The control protocol: frames {u16 version, u16 type, u32 length} + payload, little-endian. Later versions only add
 * types and append fields; if that is ever not enough, the high byte of the version changes. Every request is answered, in order; events come in between. src/drivers/exec/native/
 * shim-protocol.ts is the other side.
 */
#ifndef TSD_PROTOCOL_H
#define TSD_PROTOCOL_H

#include "base.h"

#define PROTOCOL_VERSION 1
#define FRAME_HEADER 8u
/* Requests other than input need no more; what is longer comes from a later version and is skipped. */
#define REQUEST_MAX 16u

#define NEVER 0xffffffffu

#define RETRY_FIRST_SECONDS 1u
#define RETRY_MOST_SECONDS 60u

enum request {
    /* -> ANSWER_STATUS */
    REQUEST_STATUS = 1,
    /* u32 signal, to the payload */
    REQUEST_KILL = 2,
    /* stdout and stderr from now on; a reader that falls too far behind is disconnected */
    REQUEST_ATTACH = 3,
    REQUEST_DETACH = 4,
    /* bytes for stdin; answered when the payload's pipe has taken them */
    REQUEST_INPUT = 5,
    REQUEST_INPUT_END = 6,
    /* u16 rows, u16 columns */
    REQUEST_RESIZE = 7,
    /* u32 signal, to the payload; u32 milliseconds after which it is killed, whoever asks by then, NEVER for not at all */
    REQUEST_END = 8,
};

enum answer {
    /* u32 request type, i32 errno or 0; ENOSYS for an unknown type */
    ANSWER_RESULT = 0x8000,
    ANSWER_STATUS = 0x8001,
    /* struct launch_report: sent once, to the process that started the shim */
    EVENT_LAUNCHED = 0x8010,
    EVENT_STDOUT = 0x8020,
    EVENT_STDERR = 0x8021,
    /* struct exited: the exit record is durable; the shim leaves */
    EVENT_EXIT = 0x8030,
    /* i32 errno: the payload has ended and its exit record cannot be written; it is tried again */
    EVENT_UNRECORDED = 0x8031,
};

/* What failed, when it was not an op of the program. */
enum step {
    STEP_NONE = 0xffffffff,
    STEP_PROGRAM = 0xfffffffe,
    STEP_LOG = 0xfffffffd,
    STEP_STDIO = 0xfffffffc,
    STEP_CLONE = 0xfffffffa,
    STEP_RECORD = 0xfffffff9,
};

struct launched {
    /* Index of the op, enum step, or STEP_NONE. */
    uint32_t step;
    int32_t error;
    int32_t pid;
    uint32_t shim_pid;
    /* Field 22 of /proc/<pid>/stat of the payload. */
    uint64_t start_time;
    /* CLOCK_REALTIME in nanoseconds. */
    uint64_t started;
};

struct launch_report {
    struct launched launched;
    /* How often ops of the program were tried again. */
    uint32_t retries;
    uint32_t unused;
};

struct status {
    struct launched launched;
    uint32_t run;
    /* 1 when the payload has ended and the exit record is being written. */
    uint32_t ended;
    char container[64];
    /* Of the program: 1 terminal, 2 stdin is open. */
    uint32_t flags;
    /* errno of the last attempt to write the exit record; 0 before the first */
    int32_t record_error;
};

struct exited {
    /* 0-255, -1 when killed by a signal */
    int32_t code;
    int32_t signal;
    uint64_t finished;
};

/* Collects one frame from pieces of any size. */
struct decoder {
    uint8_t header[FRAME_HEADER], payload[REQUEST_MAX];
    unsigned have;
    uint32_t type, length, left;
};

/*
 * Takes bytes of the header and of payloads that are not input. Returns how many were taken; stops after a header
 * of REQUEST_INPUT (its `left` bytes are the caller's) and after a complete request.
 */
size_t decoder_take(struct decoder *decoder, const uint8_t *bytes, size_t n);
/* A header is there and nothing of the payload is missing. */
bool decoder_complete(const struct decoder *decoder);
/* The header of an input request is there and `left` bytes of input follow. */
bool decoder_in_input(const struct decoder *decoder);
void decoder_reset(struct decoder *decoder);
/* Little-endian number of the payload; bytes that were not sent read as 0. */
uint32_t decoder_number(const struct decoder *decoder, unsigned at, unsigned bytes);

/* Seconds until the exit record is tried again, by those before. */
uint32_t retry_delay(uint32_t before);

void encode_header(uint8_t out[FRAME_HEADER], uint16_t type, uint32_t length);

#endif
