/**
 * A signal when messages arrive at sockets that Node cannot wait for: fcntl(2), O_ASYNC and F_SETOWN; signal(7), SIGIO. It
 * ends a process that does not expect it, so sockets send none before somebody listens.
 */
import { syscall } from '../call/native.ts';

/** asm-generic/fcntl.h. */
const [F_SETFL, F_SETOWN] = [4, 8] as const;
const O_ASYNC = 0o20000;

const sockets = new Set<number>();
let listener: (() => void) | null = null;

function announce(fd: number): void {
  syscall('choose who hears of messages', 'fcntl', fd, F_SETOWN, process.pid);
  syscall('have messages announced', 'fcntl', fd, F_SETFL, O_ASYNC);
}

/** From now on arrivals at this socket count. @throws TsdError */
export function heardOf(fd: number): void {
  if (listener !== null) announce(fd);
  sockets.add(fd);
}

/** The socket is about to be closed. */
export function unheardOf(fd: number): void {
  sockets.delete(fd);
}

/** Calls back when something arrived at one of the sockets, of which it may be long past; once for several. For the main thread. */
export function onArrivals(heard: () => void): void {
  if (listener === null) process.on('SIGIO', () => listener?.());
  listener = heard;
  for (const fd of sockets) announce(fd);
}
