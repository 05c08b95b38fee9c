/** The end of a wait whose requester is gone or whose supervisor ends. */
import { TsdError, toTsdError } from '../../model/errors/errors.ts';
import type { ResourceKey } from '../../model/resource.ts';

/**
 * @param becomes what becomes of what was asked for, as a hint
 * @throws why the signal aborted
 */
export function requireWaiting(signal: AbortSignal | undefined, key: ResourceKey, becomes: string): void {
  if (signal?.aborted !== true) return;
  const { reason } = signal;
  const { code, message } =
    reason instanceof Error && reason.name === 'AbortError'
      ? new TsdError('TSD_CALLED_OFF', 'the wait was cancelled')
      : toTsdError(reason);
  throw new TsdError(code, message, { key, hint: becomes });
}
