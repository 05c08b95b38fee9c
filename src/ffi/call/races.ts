/**
 * What system calls answer when someone else came in between, and what is done about it. The table is what retry.ts and
 * the programs of the shim obey, so the table is what happens. A call that is not retried returns its result: to a
 * caller for which it is the answer that was asked for, or to the loop, which looks at the host again before it acts again.
 */

/** Names of errno; NLM_F_DUMP_INTR is a flag of the answers to a dump (linux/netlink.h). */
export type RacingAnswer = 'EAGAIN' | 'EINTR' | 'EBUSY' | 'ENOBUFS' | 'NLM_F_DUMP_INTR';

/** Whichever ends first. */
export interface Bound {
  readonly tries: number;
  /**
   * Time on the processor, from the first try on: a busy host takes the processor away for longer than that between two
   * tries. Null where the number of tries is small enough.
   */
  readonly cpuMs: number | null;
}

export interface Race {
  readonly answers: readonly RacingAnswer[];
  readonly retried: Bound | null;
  readonly because: string;
}

const FEW = { tries: 128, cpuMs: 2 } as const satisfies Bound;

export const RACES = {
  openat2: {
    answers: ['EAGAIN', 'EINTR'],
    retried: FEW,
    because:
      'a rename or a mount anywhere on the host while a path with `..` is looked up below a directory (handle_dots of fs/namei.c)',
  },
  'any system call': {
    answers: ['EINTR'],
    retried: FEW,
    because:
      'a signal came, whose handler has run by the next try; close(2) and connect(2) have done their part already',
  },
  'BPF_PROG_LOAD of bpf': {
    answers: ['EAGAIN'],
    retried: { tries: 100, cpuMs: null },
    because: 'the verifier gives up when it sees a signal (do_check of kernel/bpf/verifier.c)',
  },
  'LOOP_CONFIGURE of ioctl': {
    answers: ['EBUSY'],
    retried: { tries: 32, cpuMs: null },
    because: 'another process took the free device that was found; each try takes another device',
  },
  'netlink dump': {
    answers: ['NLM_F_DUMP_INTR', 'ENOBUFS', 'EAGAIN'],
    retried: { tries: 20, cpuMs: null },
    because:
      'the list changed while it was read, or an answer found no room in the buffer; containers that come and go by the hundred tear several dumps in a row',
  },
  'netlink request': {
    answers: ['ENOBUFS', 'EAGAIN'],
    retried: null,
    because:
      'an answer found no room in the buffer: what was carried out is not known, and a second time may fail for it',
  },
  'events of netlink': {
    answers: ['ENOBUFS', 'EAGAIN'],
    retried: null,
    because: 'the answer that was asked for: events were lost, so anything may have changed, or there are no more',
  },
  nft_run_cmd_from_buffer: {
    answers: ['ENOBUFS'],
    retried: null,
    because:
      'of a transaction whose answers were lost it is not known whether it was made; lists that changed libnftables reads again itself, and signals (EINTR) are held back meanwhile (uninterrupted.ts)',
  },
  'clone3, posix_spawn, execve': {
    answers: ['EAGAIN'],
    retried: null,
    because: 'no race but a limit on processes, which a loop here would only press against',
  },
  'umount2, rmdir': {
    answers: ['EBUSY'],
    retried: null,
    because: 'somebody uses it, for as long as they like',
  },
  'mount, fsconfig, move_mount': {
    answers: ['EBUSY'],
    retried: null,
    because: 'somebody else has it mounted or works in it',
  },
  'ioctl of device mapper': {
    answers: ['EBUSY'],
    retried: null,
    because: 'the name is taken, or the device is in use',
  },
  'write to a control file of a cgroup': {
    answers: ['EBUSY', 'EAGAIN'],
    retried: null,
    because: 'the limit is below what is in use, or the processes are in groups that forbid it',
  },
  'flock, F_SETLEASE of fcntl': {
    answers: ['EAGAIN'],
    retried: null,
    because: 'the answer that was asked for: another process has the lock, or writes to the file',
  },
  'openat with O_NONBLOCK': {
    answers: ['EAGAIN'],
    retried: null,
    because: 'a process holds a lease on the file and may do so for 45 s',
  },
  'sendto and connect of a unix socket': {
    answers: ['EAGAIN', 'ENOBUFS'],
    retried: null,
    because: 'the queue of the receiver is full until it reads; whoever sends tries later or does without',
  },
  'node:fs': {
    answers: ['EINTR'],
    retried: null,
    because: 'libuv calls again itself (uv__fs_work)',
  },
} as const satisfies Record<string, Race>;

type RacingCall = keyof typeof RACES;

/** Those that are retried. */
export type RetriedCall = {
  [Call in RacingCall]: (typeof RACES)[Call]['retried'] extends null ? never : Call;
}[RacingCall];
