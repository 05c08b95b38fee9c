/** Samples of the resource use of a container, one a second. */
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { DockerParts } from '../docker-parts.ts';
import { interfacesOf, type Sample, type StatsSubject, statsShape, systemNsOf } from './stats-shape.ts';

const INTERVAL_MS = 1_000;

type StatsParts = Pick<DockerParts, 'exec' | 'containers' | 'clock'>;

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process has just ended.
    return '';
  }
}

/** Null while it does not run. */
function sampleOf({ exec, clock }: StatsParts, id: string): Sample | null {
  const handle = exec.running(id);
  const statistics = exec.statistics(id);
  if (handle === null || statistics === null) return null;
  return {
    atMs: clock.now().wallMs,
    statistics,
    systemNs: systemNsOf(readOrNothing('/proc/stat')),
    interfaces: interfacesOf(readOrNothing(`/proc/${handle.pid}/net/dev`)),
  };
}

const subjectOf = ({ id, engineName }: ContainerRecord): StatsSubject => ({
  id,
  name: engineName,
  cpus: cpus().length,
  hostMemory: totalmem(),
});

/** One sample; with one before it where `isShort` is false, so that clients can tell how much is used now. */
export async function statsOnce(parts: StatsParts, record: ContainerRecord, isShort: boolean, signal: AbortSignal) {
  const subject = subjectOf(record);
  const first = sampleOf(parts, record.id);
  if (first === null || isShort) return statsShape(subject, first, null);
  await delay(INTERVAL_MS, null, { signal }).catch(() => null);
  return statsShape(subject, sampleOf(parts, record.id), first);
}

/** Until the container is removed, or the client leaves. */
export async function* statsStream(parts: StatsParts, record: ContainerRecord, signal: AbortSignal) {
  const subject = subjectOf(record);
  let before: Sample | null = null;
  while (!signal.aborted && parts.containers.get(record.id) !== undefined) {
    const now = sampleOf(parts, record.id);
    yield statsShape(subject, now, before);
    before = now;
    await delay(INTERVAL_MS, null, { signal }).catch(() => null);
  }
}
