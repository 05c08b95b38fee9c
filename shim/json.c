#include "json.h"

/*
 * Length of the UTF-8 sequence at the start of `in` (RFC 3629: no overlong forms, no surrogates, up to U+10FFFF);
 * 0 when it is not one, -1 when the end of input cuts off what could become one.
 */
static int utf8_length(const uint8_t *in, size_t n) {
    uint8_t first = in[0], low = 0x80, high = 0xbf;
    int length;
    if (first < 0x80) return 1;
    if (first < 0xc2 || first > 0xf4) return 0;
    length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
    for (int i = 1; i < length; i++) {
        if ((size_t)i >= n) return -1;
        if (in[i] < low || in[i] > high) return 0;
        low = 0x80, high = 0xbf;
    }
    return length;
}

static char *escape_unicode(char *out, unsigned value) {
    static const char hex[] = "0123456789abcdef";
    *out++ = '\\', *out++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4) *out++ = hex[value >> shift & 15];
    return out;
}

static char *escape_ascii(char *out, uint8_t byte) {
    if (byte == '"' || byte == '\\') *out++ = '\\', *out++ = (char)byte;
    else if (byte == '\n') *out++ = '\\', *out++ = 'n';
    else if (byte == '\r') *out++ = '\\', *out++ = 'r';
    else if (byte == '\t') *out++ = '\\', *out++ = 't';
    else if (byte < 0x20 || byte == '<' || byte == '>' || byte == '&') out = escape_unicode(out, byte);
    else *out++ = (char)byte;
    return out;
}

size_t json_escape(char *out, const uint8_t *in, size_t n) {
    char *end = out;
    for (size_t i = 0; i < n;) {
        int length = utf8_length(in + i, n - i);
        if (length == 1) {
            end = escape_ascii(end, in[i++]);
        } else if (length <= 0) {
            end = escape_unicode(end, 0xfffd);
            i++;
        } else if (length == 3 && in[i] == 0xe2 && in[i + 1] == 0x80 && (in[i + 2] | 1) == 0xa9) {
            end = escape_unicode(end, 0x2000u | (in[i + 2] & 0x3fu));
            i += 3;
        } else {
            while (length--) *end++ = (char)in[i++];
        }
    }
    return (size_t)(end - out);
}

size_t utf8_open_tail(const uint8_t *in, size_t n) {
    for (size_t tail = 1; tail <= 3 && tail <= n; tail++) {
        if (utf8_length(in + n - tail, tail) == -1) return tail;
    }
    return 0;
}

/* Civil date from days since 1970-01-01, years 1970-9999 (Hinnant, "chrono-compatible low-level date algorithms"). */
static void add_date(struct text *text, int64_t days) {
    uint64_t z = (uint64_t)days + 719468, era = z / 146097, doe = z % 146097;
    uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    uint64_t month = mp < 10 ? mp + 3 : mp - 9;
    text_number(text, yoe + era * 400 + (month <= 2), 4);
    text_add(text, "-");
    text_number(text, month, 2);
    text_add(text, "-");
    text_number(text, doy - (153 * mp + 2) / 5 + 1, 2);
}

size_t format_time(char *out, int64_t seconds, uint32_t nanoseconds) {
    struct text text = {out, 0, TIME_MAX};
    int64_t days = seconds / 86400;
    uint64_t of_day = (uint64_t)(seconds % 86400);
    add_date(&text, days);
    text_add(&text, "T");
    text_number(&text, of_day / 3600, 2);
    text_add(&text, ":");
    text_number(&text, of_day / 60 % 60, 2);
    text_add(&text, ":");
    text_number(&text, of_day % 60, 2);
    if (nanoseconds) {
        text_add(&text, ".");
        text_number(&text, nanoseconds, 9);
        while (out[text.length - 1] == '0') text.length--;
    }
    text_add(&text, "Z");
    return text.length;
}
