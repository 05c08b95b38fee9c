/**
 * What an errno means for the reconcile loop, by the call that answered it and by what was known before it. Supervisor, ops
 * and what shims report ask this table alone. Pure.
 *
 * A class is permanent where only the manifest or the host can change the answer (OWN_FAILURES and the classes that wait for a
 * change), else transient: retried with growing pauses (plan/backoff.ts). What somebody can bring about who shares a volume
 * with a container is never permanent.
 */
import type { ErrorClass } from './error-class.ts';

interface ErrnoRow {
  /** Names of system calls, or of the functions of node:fs; null for all. */
  readonly calls: ReadonlySet<string> | null;
  /** `launch`: in the program of a shim, where all that was missing has been found or made a moment before. */
  readonly when: 'always' | 'launch';
  readonly errnos: ReadonlySet<string>;
  readonly class: ErrorClass;
  readonly because: string;
}

/** The phase in which a call happens. */
export type Moment = 'before' | 'launch';

const names = (text: string): ReadonlySet<string> => new Set(text.split(' '));

/** They say nothing of the name itself once it was found: somebody has changed it meanwhile, or changes it now. */
const BY_NAME = names(
  'openat openat2 open_tree move_mount mount mount_setattr mkdirat mknodat fchownat unlinkat fchdir umount2',
);
const EXECUTE = names('execve execveat');

/** The first row that applies decides. @internal */
export const ERRNO_CLASSES: readonly ErrnoRow[] = [
  {
    calls: null,
    when: 'always',
    errnos: names('ENOMEM ENOSPC EDQUOT EMFILE ENFILE'),
    class: 'exhausted',
    because: 'the host has no more of it for now',
  },
  {
    calls: null,
    when: 'always',
    errnos: names('EAGAIN EINTR EBUSY ESTALE ETXTBSY'),
    class: 'unavailable',
    because: 'somebody else uses it, or came in between',
  },
  { calls: null, when: 'always', errnos: names('ETIMEDOUT'), class: 'timeout', because: 'no answer arrived' },
  {
    calls: EXECUTE,
    when: 'always',
    errnos: names('ENOENT ENOTDIR EACCES EPERM ENOEXEC ELIBBAD EINVAL EISDIR E2BIG ELOOP ENAMETOOLONG'),
    class: 'precondition',
    because: 'the program, or the arguments that the manifest gives it, are such that no kernel starts it',
  },
  {
    calls: BY_NAME,
    when: 'launch',
    errnos: names('ENOENT ENOTDIR ELOOP EXDEV EINVAL EISDIR EEXIST ENOTEMPTY ENODEV ENXIO EOPNOTSUPP'),
    class: 'unavailable',
    because: 'the name leads elsewhere than a moment before: who shares the volume has changed it',
  },
  {
    calls: null,
    when: 'always',
    errnos: names('EPERM EACCES'),
    class: 'denied',
    because: 'the host does not let the supervisor',
  },
  {
    calls: null,
    when: 'always',
    // ENAMETOOLONG does not say absent: a tree may be deeper than a path can say.
    errnos: names('ENOENT ENAMETOOLONG'),
    class: 'precondition',
    because: 'what was asked for is not there, or cannot be named',
  },
  {
    calls: null,
    when: 'always',
    errnos: names('EEXIST EADDRINUSE ENOTEMPTY'),
    class: 'conflict',
    because: 'something else has the place',
  },
  {
    calls: null,
    when: 'always',
    errnos: names('ENOSYS EOPNOTSUPP ENODEV EPROTONOSUPPORT EAFNOSUPPORT'),
    class: 'unsupported',
    because: 'this kernel, or this filesystem, cannot do it',
  },
];

/** What no row has: tried again, since a look at the host tells more than the errno. */
const OTHERWISE: ErrorClass = 'unavailable';

/** @param errno its name. @param call the call that answered it */
export function classOfErrnoName(errno: string, call: string, moment: Moment = 'before'): ErrorClass {
  const row = ERRNO_CLASSES.find(
    ({ calls, when, errnos }) =>
      errnos.has(errno) && (calls === null || calls.has(call)) && (when === 'always' || when === moment),
  );
  return row?.class ?? OTHERWISE;
}
