/**
 * The two ends of measured connections.
 *
 *   load serve STREAM_PORT CONNECT_PORT           one port sends as fast as it can, the other one byte to each
 *   load stream ADDRESS PORT SECONDS              prints Gbit/s of one connection
 *   load connect ADDRESS PORT SECONDS AT_ONCE     prints connections a second, so many under way at any time
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char block[1 << 18];

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec + at.tv_nsec / 1e9;
}

static int listen_at(const char *port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  struct sockaddr_in all = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&all, sizeof all) || listen(fd, 1024)) err(1, "listen at %s", port);
  return fd;
}

static void serve_streams(int listener) {
  for (;;) {
    int fd = accept(listener, 0, 0);
    if (fd < 0) err(1, "accept");
    if (fork() == 0) {
      while (write(fd, block, sizeof block) > 0);
      _exit(0);
    }
    close(fd);
  }
}

static void serve_connects(int listener) {
  for (;;) {
    int fd = accept(listener, 0, 0);
    if (fd < 0) err(1, "accept");
    if (write(fd, ".", 1) != 1) warn("write");
    close(fd);
  }
}

static int serve(const char *stream_port, const char *connect_port) {
  int streams = listen_at(stream_port), connects = listen_at(connect_port);
  signal(SIGCHLD, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  if (fork() == 0) serve_streams(streams);
  if (fork() == 0) serve_connects(connects);
  serve_connects(connects);
  return 0;
}

static int dial(const char *address, const char *port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
  struct timeval limit = {10, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (inet_pton(AF_INET, address, &at.sin_addr) != 1) errx(2, "%s is no address", address);
  if (connect(fd, (struct sockaddr *)&at, sizeof at)) err(1, "connect to %s:%s", address, port);
  return fd;
}

static int stream(const char *address, const char *port, double seconds) {
  int fd = dial(address, port);
  double bytes = 0, start = now(), end = start + seconds;
  while (now() < end) {
    ssize_t got = read(fd, block, sizeof block);
    if (got <= 0) err(1, "the stream ended");
    bytes += got;
  }
  printf("%.3f\n", bytes * 8 / (now() - start) / 1e9);
  return 0;
}

static size_t connects_until(double end, const char *address, const char *port) {
  size_t done = 0;
  for (; now() < end; done++) {
    int fd = dial(address, port);
    char byte[2];
    if (read(fd, byte, 2) != 1) err(1, "no byte came");
    if (read(fd, byte, 2) != 0) err(1, "it did not end");
    close(fd);
  }
  return done;
}

static int connects(const char *address, const char *port, double seconds, int at_once) {
  int results[2];
  if (pipe(results)) err(1, "pipe");
  double start = now();
  for (int worker = 0; worker < at_once; worker++) {
    if (fork() != 0) continue;
    size_t done = connects_until(start + seconds, address, port);
    _exit(write(results[1], &done, sizeof done) != sizeof done);
  }
  close(results[1]);
  size_t all = 0, one;
  int status, failed = 0;
  while (read(results[0], &one, sizeof one) == sizeof one) all += one;
  double spent = now() - start;
  while (wait(&status) > 0) failed += status != 0;
  if (failed) errx(1, "%d of %d failed", failed, at_once);
  printf("%.0f\n", all / spent);
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 4 && !strcmp(argv[1], "serve")) return serve(argv[2], argv[3]);
  if (argc == 5 && !strcmp(argv[1], "stream")) return stream(argv[2], argv[3], atof(argv[4]));
  if (argc == 6 && !strcmp(argv[1], "connect")) return connects(argv[2], argv[3], atof(argv[4]), atoi(argv[5]));
  return 2;
}
