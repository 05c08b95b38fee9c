#include "base.h"

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
