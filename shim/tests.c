/*
 * Tests of the shim's pure parts, built with sanitizers. Without arguments: all checks, with a fixed seed. `escape`: stdin
 * to stdout through json_escape, so that a test in another language can compare.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "program.h"
#include "protocol.h"
#include "syscalls.h"

#define CHECK(condition) check(condition, #condition, __LINE__)
#define FUZZ_ROUNDS 200000

static void check(bool holds, const char *what, int line) {
    if (holds) return;
    fprintf(stderr, "tests.c:%d: %s\n", line, what);
    exit(1);
}

/* Never called here: programs are checked, not run. */
long clone_onto_stack(struct clone_args *args, size_t size, void (*entry)(void *), void *argument) {
    (void)args, (void)size, (void)entry, (void)argument;
    return -ENOSYS;
}

/* xorshift64 (Marsaglia 2003) */
static uint64_t random_state = 0x9e3779b97f4a7c15ull;
static uint32_t random_below(uint32_t limit) {
    random_state ^= random_state << 13, random_state ^= random_state >> 7, random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % limit;
}

static bool equals(const char *got, size_t length, const char *expected) {
    return length == strlen(expected) && memcmp(got, expected, length) == 0;
}

static void test_time(void) {
    char out[TIME_MAX];
    CHECK(equals(out, format_time(out, 0, 0), "1970-01-01T00:00:00Z"));
    CHECK(equals(out, format_time(out, 951782400, 1), "2000-02-29T00:00:00.000000001Z"));
    CHECK(equals(out, format_time(out, 1418716800, 123456789), "2014-12-16T08:00:00.123456789Z"));
    CHECK(equals(out, format_time(out, 4107542399, 500000000), "2100-02-28T23:59:59.5Z"));
    CHECK(equals(out, format_time(out, 253402300799, 999999990), "9999-12-31T23:59:59.99999999Z"));
}

static void test_escape(void) {
    static const uint8_t cut[] = "ab\xf0\x9f\x98";
    char out[64];
    CHECK(equals(out, json_escape(out, (const uint8_t *)"a\"\\\n<\x01\x7f", 7), "a\\\"\\\\\\n\\u003c\\u0001\x7f"));
    CHECK(equals(out, json_escape(out, (const uint8_t *)"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", 9), "\\u2028\\u2029\xe2\x80\xaa"));
    CHECK(equals(out, json_escape(out, cut, 5), "ab\\ufffd\\ufffd\\ufffd"));
    CHECK(utf8_open_tail(cut, 5) == 3 && utf8_open_tail(cut, 3) == 1 && utf8_open_tail(cut, 2) == 0);
}

/* Blocks are allocated at their exact size, so that the sanitizer sees one byte too many. */
static void fuzz_escape(void) {
    for (int round = 0; round < FUZZ_ROUNDS / 4; round++) {
        uint32_t n = random_below(40);
        uint8_t *in = malloc(n + 1);
        char *out = malloc(n * JSON_WORST + 1);
        for (uint32_t i = 0; i < n; i++) in[i] = (uint8_t)(random_below(2) ? random_below(256) : 0x80 + random_below(0x75));
        size_t length = json_escape(out, in, n);
        CHECK(length <= n * JSON_WORST);
        for (size_t i = 0; i < length; i++) CHECK((uint8_t)out[i] >= 0x20 && out[i] != '<' && out[i] != '>' && out[i] != '&');
        CHECK(utf8_open_tail(in, n) <= 3);
        free(in), free(out);
    }
}

/* However the bytes are cut, the same requests come out, and input is never taken for anything else. */
static void fuzz_decoder(void) {
    for (int round = 0; round < FUZZ_ROUNDS; round++) {
        uint8_t bytes[64];
        struct decoder decoder = {0};
        uint32_t length = random_below(40);
        uint16_t type = (uint16_t)(random_below(3) ? random_below(9) : random_below(65536));
        encode_header(bytes, type, length);
        for (uint32_t i = 0; i < length; i++) bytes[FRAME_HEADER + i] = (uint8_t)random_below(256);
        uint32_t total = FRAME_HEADER + length, at = 0;
        while (at < total && !decoder_in_input(&decoder)) {
            uint32_t piece = 1 + random_below(total - at);
            uint8_t *copy = malloc(piece);
            memcpy(copy, bytes + at, piece);
            at += (uint32_t)decoder_take(&decoder, copy, piece);
            free(copy);
        }
        CHECK(decoder.type == type && decoder.length == length);
        if (type == REQUEST_INPUT) {
            CHECK(at == FRAME_HEADER && decoder.left == length);
            continue;
        }
        CHECK(decoder_complete(&decoder) && at == total);
        for (uint32_t i = 0; i < REQUEST_MAX; i++) CHECK(decoder_number(&decoder, i, 1) == (i < length ? bytes[FRAME_HEADER + i] : 0));
    }
}

/* A damaged program is refused or stays inside its own bytes. */
static void fuzz_program(void) {
    for (int round = 0; round < FUZZ_ROUNDS; round++) {
        uint32_t size = 64 + 8 * random_below(40);
        uint32_t *words = malloc(size);
        for (uint32_t i = 0; i < size / 4; i++) words[i] = random_below(3) ? random_below(size + 16) : random_below(0xffffffff);
        struct program_header *header = (void *)words;
        if (random_below(50)) {
            header->magic = 0x50445354, header->version = 2 + random_below(2);
            header->bytes = random_below(8) ? size : random_below(2 * size);
            header->ops = random_below(6);
            header->fixups = 64 + 56 * header->ops + 4 * random_below(8);
        }
        program_prepare((uint8_t *)words, size);
        free(words);
    }
}

static void test_record_retries(void) {
    uint32_t delay = 0, sum = 0, tries = 0;
    for (; sum < 3600; tries++) sum += delay = retry_delay(delay);
    CHECK(retry_delay(0) == 1 && retry_delay(1) == 2 && delay == 60 && tries < 70);
}

/* A read from an empty pipe answers EAGAIN for ever. */
static void test_call_retries(void) {
    char byte;
    int pipe[2];
    CHECK(sys(pipe2, pipe, O_NONBLOCK) == 0);
    struct call read = {__NR_read, {pipe[0], (long)&byte, 1}};
    struct retries retries = {0};
    CHECK(call_with_retries(&read, 1, 1000000, &retries) == -EAGAIN && retries.count == 0);
    CHECK(call_with_retries(&read, 128, 1000000, &retries) == -EAGAIN && retries.count == 127);
    retries.count = 0;
    CHECK(call_with_retries(&read, ~0u, 2000, &retries) == -EAGAIN && retries.count > 0);
    retries.count = 0;
    CHECK(call_with_retries(&read, 0, 0, &retries) == -EAGAIN && retries.count == 0);
    CHECK(sys(write, pipe[1], "x", 1) == 1);
    CHECK(call_with_retries(&read, 128, 1000, &retries) == 1 && byte == 'x' && retries.count == 0);
    struct call wrong = {__NR_read, {-1, (long)&byte, 1}};
    CHECK(call_with_retries(&wrong, 128, 1000, &retries) == -EBADF && retries.count == 0);
    sys(close, pipe[0]), sys(close, pipe[1]);
}

static int escape_stdin(void) {
    static uint8_t in[1 << 20];
    static char out[JSON_WORST << 20];
    size_t n = fread(in, 1, sizeof in, stdin);
    return fwrite(out, 1, json_escape(out, in, n), stdout) == 0 && n > 0;
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "escape") == 0) return escape_stdin();
    test_time();
    test_escape();
    test_record_retries();
    test_call_retries();
    fuzz_escape();
    fuzz_decoder();
    fuzz_program();
    puts("shim: all checks hold");
    return 0;
}
