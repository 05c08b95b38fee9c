/* Pure text functions of the log: JSON escaping as Go's encoding/json does it, and time stamps. */
#ifndef TSD_JSON_H
#define TSD_JSON_H

#include "base.h"

/* Longest form of one input byte: \u0001 */
#define JSON_WORST 6
/* 2026-01-02T03:04:05.123456789Z */
#define TIME_MAX 32

/*
 * Writes the inside of a JSON string; `out` has room for JSON_WORST * n bytes. Control characters, quotes, backslashes,
 * < > & and U+2028/U+2029 are escaped, each byte that is not UTF-8 becomes \ufffd. Returns the length.
 */
size_t json_escape(char *out, const uint8_t *in, size_t n);

/* How many bytes at the end (0-3) begin a UTF-8 sequence that the next bytes may complete. */
size_t utf8_open_tail(const uint8_t *in, size_t n);

/* RFC 3339 UTC with nanoseconds, trailing zeros trimmed. Returns the length, at most TIME_MAX. */
size_t format_time(char *out, int64_t seconds, uint32_t nanoseconds);

#endif
