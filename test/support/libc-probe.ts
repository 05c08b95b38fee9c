/** Programs that ask getaddrinfo(3) of glibc and of musl. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Prints each address once, or the error as EAI_…. */
const PROBE = `
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) {
  struct addrinfo hints = {0}, *list;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = strcmp(argv[1], "4") == 0 ? AF_INET : strcmp(argv[1], "6") == 0 ? AF_INET6 : AF_UNSPEC;
  int error = getaddrinfo(argv[2], 0, &hints, &list);
  if (error != 0) { printf(error == EAI_NONAME ? "EAI_NONAME\\n" : error == EAI_AGAIN ? "EAI_AGAIN\\n" : error == EAI_NODATA ? "EAI_NODATA\\n" : "error %d\\n", error); return 0; }
  for (; list; list = list->ai_next) {
    char text[INET6_ADDRSTRLEN], name[256];
    void *address = list->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)list->ai_addr)->sin_addr : (void *)&((struct sockaddr_in6 *)list->ai_addr)->sin6_addr;
    puts(inet_ntop(list->ai_family, address, text, sizeof text));
    if (argc > 3 && getnameinfo(list->ai_addr, list->ai_addrlen, name, sizeof name, 0, 0, NI_NAMEREQD) == 0) puts(name);
  }
}
`;

/** `glibc` and `musl` in the directory: `glibc 4|6|any NAME [reverse]`. */
export function buildProbes(directory: string): void {
  writeFileSync(join(directory, 'probe.c'), PROBE);
  execFileSync('gcc', ['-o', join(directory, 'glibc'), join(directory, 'probe.c')]);
  execFileSync('musl-gcc', ['-DEAI_NODATA=-5', '-static', '-o', join(directory, 'musl'), join(directory, 'probe.c')]);
}
