#include "base.h"

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
    unsigned char *t = to;
    const unsigned char *f = from;
    while (n--) *t++ = *f++;
    return to;
}

void *memmove(void *to, const void *from, size_t n) {
    unsigned char *t = to;
    const unsigned char *f = from;
    if (t <= f)
        while (n--) *t++ = *f++;
    else
        while (n--) t[n] = f[n];
    return to;
}

void *memset(void *to, int byte, size_t n) {
    unsigned char *t = to;
    while (n--) *t++ = (unsigned char)byte;
    return to;
}

size_t strlen(const char *text) {
    size_t n = 0;
    while (text[n]) n++;
    return n;
}

int strcmp(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}

void text_add(struct text *text, const char *string) {
    while (*string && text->length < text->room) text->at[text->length++] = *string++;
}

void text_number(struct text *text, uint64_t value, unsigned width) {
    char digits[21];
    unsigned n = sizeof digits;
    digits[--n] = 0;
    do digits[--n] = (char)('0' + value % 10);
    while ((value /= 10) || (sizeof digits - 1 - n < width && n > 0));
    text_add(text, digits + n);
}

uint64_t parse_number(const char *text) {
    uint64_t value = 0;
    while (*text >= '0' && *text <= '9') value = value * 10 + (uint64_t)(*text++ - '0');
    return value;
}
