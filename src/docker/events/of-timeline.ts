/** What entries of the timeline are as events of Docker. Pure. */

import { parseKey } from '../../model/resource.ts';
import { readSignal } from '../../model/signals.ts';
import type { TimelineDraft } from '../../model/status/timeline.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { engineNameOf } from '../names.ts';
import { containerEvent, type EventSubject } from './container-events.ts';
import type { Attributes, EventDraft } from './message.ts';

export interface NotedContainer {
  readonly subject: EventSubject;
  /** Undefined for one that is gone. */
  readonly record: ContainerRecord | undefined;
  /** A restart was asked for, and the start that belongs to it is this one. */
  readonly isRestart: boolean;
  /** A signal was asked for, and no stop since. */
  readonly isKilled: boolean;
}

const SIGTERM = 15;
/** Images by what the timeline calls what happened to them. */
const OF_IMAGES = new Set(['pull', 'push', 'tag', 'untag', 'delete', 'load', 'import']);
/** Their object is the name that was asked for. */
const BY_REFERENCE = new Set(['pull', 'push']);

function secondsOf({ state }: ContainerRecord): number {
  if (state.startedAt === null || state.finishedAt === null) return 0;
  return Math.max(0, Math.round((Date.parse(state.finishedAt) - Date.parse(state.startedAt)) / 1000));
}

function died(record: ContainerRecord | undefined): Attributes {
  if (record === undefined) return {};
  return { execDuration: `${secondsOf(record)}`, exitCode: `${record.state.exitCode ?? 255}` };
}

function ofContainer({ what, kind, ok, message }: TimelineDraft, noted: NotedContainer): readonly EventDraft[] {
  const { subject, record, isRestart, isKilled } = noted;
  const event = (action: string, more?: Attributes): EventDraft => containerEvent(subject, action, more);
  const signal = (): string => `${readSignal(message.split(' ').at(-1) ?? '') ?? SIGTERM}`;
  switch (what) {
    case 'container.create':
      return [event('create')];
    case 'container.start':
      return isRestart ? [event('start'), event('restart')] : [event('start')];
    case 'exited':
      return [event('die', died(record))];
    case 'oom-killed':
      return [event('oom'), event('die', died(record))];
    case 'container.stop':
      return isKilled ? [] : [event('stop')];
    case 'container.remove':
      return [event('destroy')];
    case 'kill':
      return [event('kill', { signal: signal() })];
    case 'stop':
    case 'restart':
      return kind === 'override' && record?.state.status === 'running' ? [event('kill', { signal: `${SIGTERM}` })] : [];
    default:
      if (kind !== 'probe') return [];
      return [event(`health_status: ${ok ? 'healthy' : 'unhealthy'}`)];
  }
}

function ofImage({ what, message }: TimelineDraft): readonly EventDraft[] {
  const [first = '', second = ''] = message.split(' ');
  const isId = /^[0-9a-f]{64}$/.test(first);
  const id = isId && !BY_REFERENCE.has(what) ? `sha256:${first}` : first;
  return [{ type: 'image', action: what, id, attributes: { name: isId ? second || first : first } }];
}

const OF_VOLUMES: Readonly<Record<string, string>> = { 'volume.create': 'create', 'volume.remove': 'destroy' };

export function eventsOf(entry: TimelineDraft, noted: NotedContainer | null): readonly EventDraft[] {
  const { key, what, ok, kind } = entry;
  // A run that ended badly has ended, and a probe that failed has failed.
  if (!ok && kind !== 'exit' && kind !== 'probe') return [];
  if (noted !== null) return ofContainer(entry, noted);
  if (key === null) return OF_IMAGES.has(what) ? ofImage(entry) : [];
  const name = engineNameOf(key);
  const volume = OF_VOLUMES[what];
  if (volume !== undefined) return [{ type: 'volume', action: volume, id: name, attributes: { driver: 'local' } }];
  return [];
}

export const isOfContainer = ({ key, container }: TimelineDraft): boolean =>
  container !== undefined || (key !== null && parseKey(key).kind === 'container');
