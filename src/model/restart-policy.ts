import type { RestartSpec } from './kinds/short-forms.ts';

/**
 * True when the policy starts a container again after such an end, as long as it has restarts left. An end that was not
 * seen counts as a failure.
 */
export function restartsAfter(policy: RestartSpec['policy'], failed: boolean): boolean {
  switch (policy) {
    case 'no':
      return false;
    case 'on-failure':
      return failed;
    case 'always':
    case 'unless-stopped':
      return true;
  }
}

/** True when the policy lets a container end well: a migration, a set-up job. */
export const mayComplete = (policy: RestartSpec['policy']): boolean => !restartsAfter(policy, false);
