/* Types and the handful of string functions a program without libc needs. */
#ifndef TSD_BASE_H
#define TSD_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);

/* A bounded text under construction; what does not fit is cut off. */
struct text {
    char *at;
    size_t length, room;
};

void text_add(struct text *text, const char *string);
/* Decimal, padded with zeros to at least `width` digits. */
void text_number(struct text *text, uint64_t value, unsigned width);

/* Decimal digits up to the first other character. */
uint64_t parse_number(const char *text);

#endif
