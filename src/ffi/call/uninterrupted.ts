/** Calls of libraries that give up when a signal comes. rt_sigprocmask(2), sigset_t of the kernel: one bit a signal. */
import { constants } from 'node:os';
import { syscall } from './native.ts';

/** asm-generic/signal-defs.h */
const SIG_SETMASK = 2;
const SIGSET_BYTES = 8;
const { SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV } = constants.signals;

/** All but those of what this thread does itself, which end the process where they are held back. */
const held = Buffer.alloc(64);
held.writeBigUInt64LE(
  [SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV].reduce(
    (all, one) => all & ~(1n << BigInt(one - 1)),
    ~0n & 0xffff_ffff_ffff_ffffn,
  ),
);

const previous = Buffer.alloc(64);

/** Signals of the process go to another of its threads meanwhile, or wait. For synchronous work, not nested. */
export function uninterrupted<T>(work: () => T): T {
  const step = 'hold signals back';
  syscall(step, 'rt_sigprocmask', SIG_SETMASK, held, previous, SIGSET_BYTES);
  try {
    return work();
  } finally {
    syscall(step, 'rt_sigprocmask', SIG_SETMASK, previous, null, SIGSET_BYTES);
  }
}
