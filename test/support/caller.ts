/** A static program that makes system calls by number; test/fixtures/seccomp/caller.c says how it is called. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('../fixtures/seccomp/caller.c', import.meta.url));
const FLAGS = ['-O1', '-ffreestanding', '-fno-stack-protector', '-fno-pic', '-no-pie', '-nostdlib', '-static'];

/** Compiles it to a file. */
export function makeCaller(path: string): void {
  execFileSync('cc', [...FLAGS, '-o', path, SOURCE]);
}
