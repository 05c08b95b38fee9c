import { TsdError } from '../../model/errors/errors.ts';

/** Why work with a registry ended with its signal: the reason of who aborted it, where that is an error of ours. */
export function cancelled(signal: AbortSignal, step: string, cause?: unknown): TsdError {
  if (signal.reason instanceof TsdError) return signal.reason;
  return new TsdError('TSD_REGISTRY', 'it was cancelled', { step, cause });
}
