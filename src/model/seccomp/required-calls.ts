/** Calls that a container makes between the loading of its filter and its program: without them there is no start. */
import { letsThrough } from './actions.ts';
import type { SeccompProfile } from './profile.ts';
import { answerOf, type FilterContext, rulesOf } from './rules.ts';

const PR_SET_PDEATHSIG = 1n;
const PR_SET_NO_NEW_PRIVS = 38n;
const PR_CAP_AMBIENT = 47n;
/** CLONE_PARENT | CLONE_VFORK | CLONE_PARENT_SETTID: an exec session's second process. */
const CLONE_FLAGS = 0x10c000n;
const TIOCSCTTY = 0x540en;

const REQUIRED: readonly (readonly [name: string, ...args: bigint[]])[] = [
  ['prctl', PR_SET_PDEATHSIG],
  ['prctl', PR_SET_NO_NEW_PRIVS],
  ['prctl', PR_CAP_AMBIENT],
  ['setgroups'],
  ['setresgid'],
  ['setresuid'],
  ['capset'],
  ['close_range'],
  ['clone', CLONE_FLAGS],
  ['setsid'],
  ['ioctl', 0n, TIOCSCTTY],
  ['rt_sigprocmask'],
  ['execve'],
  ['execveat'],
  // A start that fails has to end.
  ['exit_group'],
];

/** Names of those that the profile does not let through. */
export function missingCalls(profile: SeccompProfile, context: FilterContext): readonly string[] {
  const [native] = rulesOf(profile, context);
  const isMissing = ([name, ...args]: (typeof REQUIRED)[number]): boolean => {
    const number = native?.architecture.numbers.get(name);
    return native !== undefined && number !== undefined && !letsThrough(answerOf(native, number, args));
  };
  return [...new Set(REQUIRED.filter(isMissing).map(([name]) => name))];
}
