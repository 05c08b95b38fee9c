#include "protocol.h"

static uint32_t little_endian(const uint8_t *bytes, unsigned n) {
    uint32_t value = 0;
    while (n--) value = value << 8 | bytes[n];
    return value;
}

size_t decoder_take(struct decoder *decoder, const uint8_t *bytes, size_t n) {
    size_t taken = 0;
    while (taken < n && decoder->have < FRAME_HEADER) {
        decoder->header[decoder->have++] = bytes[taken++];
        if (decoder->have < FRAME_HEADER) continue;
        decoder->type = little_endian(decoder->header + 2, 2);
        decoder->length = decoder->left = little_endian(decoder->header + 4, 4);
    }
    if (decoder->have < FRAME_HEADER || decoder->type == REQUEST_INPUT) return taken;
    while (taken < n && decoder->left > 0) {
        uint32_t at = decoder->length - decoder->left--;
        if (at < REQUEST_MAX) decoder->payload[at] = bytes[taken];
        taken++;
    }
    return taken;
}

bool decoder_complete(const struct decoder *decoder) { return decoder->have == FRAME_HEADER && decoder->left == 0; }

bool decoder_in_input(const struct decoder *decoder) {
    return decoder->have == FRAME_HEADER && decoder->type == REQUEST_INPUT && decoder->left > 0;
}

void decoder_reset(struct decoder *decoder) { memset(decoder, 0, sizeof *decoder); }

uint32_t decoder_number(const struct decoder *decoder, unsigned at, unsigned bytes) {
    return little_endian(decoder->payload + at, bytes);
}

uint32_t retry_delay(uint32_t before) {
    if (!before) return RETRY_FIRST_SECONDS;
    return before >= RETRY_MOST_SECONDS / 2 ? RETRY_MOST_SECONDS : 2 * before;
}

void encode_header(uint8_t out[FRAME_HEADER], uint16_t type, uint32_t length) {
    out[0] = PROTOCOL_VERSION, out[1] = 0;
    out[2] = (uint8_t)type, out[3] = (uint8_t)(type >> 8);
    for (int i = 0; i < 4; i++) out[4 + i] = (uint8_t)(length >> 8 * i);
}
