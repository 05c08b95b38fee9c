/**
 * Asks a DNS server at 127.0.0.11 for addresses of one name, at a rate or as many at a time as given, and prints what it took.
 *
 *   load NAME RATE SECONDS [AT_ONCE]     RATE 0: AT_ONCE questions are always on their way
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1e6 + at.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b) {
  double left = *(const double *)a, right = *(const double *)b;
  return left < right ? -1 : left > right;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  double rate = atof(argv[2]), seconds = atof(argv[3]);
  int at_once = argc > 4 ? atoi(argv[4]) : 1;
  unsigned char packet[300] = {0, 0, 1, 0, 0, 1}, reply[4096];
  size_t length = 12;
  for (char *label = strtok(strdup(argv[1]), "."); label; label = strtok(0, ".")) {
    packet[length] = strlen(label);
    memcpy(packet + length + 1, label, strlen(label));
    length += 1 + strlen(label);
  }
  memcpy(packet + length, "\0\0\1\0\1", 5);
  length += 5;
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(53)};
  inet_pton(AF_INET, "127.0.0.11", &server.sin_addr);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (connect(fd, (struct sockaddr *)&server, sizeof server) != 0) return 1;
  static double sent_at[65536];
  size_t room = 4000000, count = 0, sent = 0, failed = 0;
  double *took = malloc(room * sizeof *took);
  double start = now(), end = start + seconds * 1e6, next = start;
  int waiting = 0;
  while (now() < end + 1e6 && (now() < end || waiting > 0)) {
    double at = now();
    while (at < end && (rate > 0 ? at >= next : waiting < at_once)) {
      uint16_t id = sent & 0xffff;
      packet[0] = id >> 8;
      packet[1] = id & 255;
      sent_at[id] = rate > 0 ? next : at;
      if (send(fd, packet, length, 0) < 0) break;
      sent++;
      waiting++;
      if (rate > 0) next += 1e6 / rate;
    }
    double pause = rate > 0 && at < end ? next - now() : 1000;
    struct timespec limit = {0, pause > 0 ? pause * 1e3 : 0};
    struct pollfd readable = {fd, POLLIN, 0};
    ppoll(&readable, 1, &limit, 0);
    ssize_t got;
    while ((got = recv(fd, reply, sizeof reply, 0)) > 0) {
      double arrived = now();
      waiting--;
      if ((reply[3] & 15) != 0 || (reply[6] << 8 | reply[7]) == 0) failed++;
      if (count < room) took[count++] = arrived - sent_at[reply[0] << 8 | reply[1]];
    }
  }
  double spent = (now() < end ? now() : end) - start;
  qsort(took, count, sizeof *took, by_size);
  if (count == 0) return 1;
  printf("{\"sent\":%zu,\"answered\":%zu,\"failed\":%zu,\"perSecond\":%.0f,\"p50\":%.0f,\"p99\":%.0f,\"p999\":%.0f,\"max\":%.0f}\n", sent, count,
         failed, count / spent * 1e6, took[count / 2], took[count * 99 / 100], took[count * 999 / 1000], took[count - 1]);
  return 0;
}
