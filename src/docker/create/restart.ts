/** Restart policies, with Docker's delays between restarts. */
import type { RestartPolicyBody } from './container-body.ts';
import { refuse, type Section } from './context.ts';

const POLICIES = ['no', 'always', 'on-failure', 'unless-stopped'];
/** More restarts than a container lives to see. */
const MAX_COUNT = 999_999;

export function restartSection({ Name, MaximumRetryCount }: RestartPolicyBody, autoRemove: boolean): Section {
  const policy = Name === '' ? 'no' : Name;
  if (!POLICIES.includes(policy))
    refuse(
      `invalid restart policy: unknown policy '${Name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  if (policy !== 'on-failure' && MaximumRetryCount !== 0) {
    const negative = MaximumRetryCount < 0 ? ' and cannot be negative' : '';
    refuse(`invalid restart policy: maximum retry count can only be used with 'on-failure'${negative}`);
  }
  if (MaximumRetryCount < 0) refuse('invalid restart policy: maximum retry count cannot be negative');
  if (policy === 'no') return { written: {} };
  if (autoRemove) refuse("can't create 'AutoRemove' container with restart policy");
  const max = MaximumRetryCount > 0 && { max: Math.min(MAX_COUNT, MaximumRetryCount) };
  return { written: { restart: { policy, ...max, backoff: 'docker' } } };
}
