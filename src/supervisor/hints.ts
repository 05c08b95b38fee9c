/** What a person can do about an op that failed, as the journal has it. */
import type { ResourceKey } from '../model/resource.ts';
import type { History } from '../state/history/history.ts';

/** Ops of a resource among which its failure is looked for. */
const RECENT_OPS = 20;

/** The hint of the failure that a message tells of; empty for another message. */
export function hintOf({ journal }: Pick<History, 'journal'>, key: ResourceKey, message: string): string {
  const failed = journal.ofKey(key, RECENT_OPS).find(({ error }) => error !== null);
  return failed?.error && message.includes(failed.error.message) ? failed.error.hint : '';
}
