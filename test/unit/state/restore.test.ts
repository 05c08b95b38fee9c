import { describe, expect, it } from 'vitest';
import type { ContainerRecord, RunHandle, RunStatus } from '../../../src/state/containers/container-record.ts';
import { NEVER_RUN } from '../../../src/state/containers/container-record.ts';
import {
  type AdoptionAnswer,
  adoptionQuestions,
  decideNames,
  decideRestore,
  isUnknown,
  type RestoreDecision,
  type RestoreInput,
} from '../../../src/state/restore.ts';
import { containerRecord } from '../../support/container-record.ts';

const BOOT = 'this-boot';

const handle = (containerId: string, run: number, bootId = BOOT): RunHandle => ({
  containerId,
  run,
  bootId,
  driverState: { ShimPid: 10, ShimStartTime: '1' },
  pid: 11,
  startTime: '2',
  startedAtMs: 5,
});

function container(id: string, status: RunStatus, overrides: Partial<ContainerRecord> = {}): ContainerRecord {
  const run = overrides.run ?? 2;
  return containerRecord({ id, run, state: { ...NEVER_RUN, status }, handle: handle(id, run), ...overrides });
}

const input = (containers: ContainerRecord[], execIds: string[] = []): RestoreInput => ({
  containers,
  graphDriver: 'overlay',
  execDriver: 'native',
  bootId: BOOT,
  execIds: new Set(execIds),
});

const exited = (exitCode: number | null): AdoptionAnswer => ({
  state: 'exited',
  exit: { exitCode, oomKilled: false, finishedAtMs: 99 },
});

function decideOne(record: ContainerRecord, answer?: AdoptionAnswer, execIds: string[] = []): RestoreDecision {
  const answers = new Map(answer === undefined ? [] : [[record.id, answer] as const]);
  const [decision] = decideRestore(input([record], execIds), answers);
  return decision as RestoreDecision;
}

describe('queries to the exec driver', () => {
  it('cover runs recorded as live, with their facts, and runs that the driver lists', () => {
    const containers = [
      container('live', 'running'),
      container('resting', 'exited'),
      container('lost-start', 'created', { handle: null, run: 1 }),
      container('other-driver', 'running', { graphDriver: 'aufs' }),
      container('docker', 'running', { owner: null, run: 0, handle: null }),
    ];
    expect(adoptionQuestions(input(containers, ['lost-start']))).toEqual([
      handle('live', 2),
      { containerId: 'lost-start', run: 1 },
    ]);
  });

  it('name the run, not the handle of an earlier one', () => {
    const record = container('c', 'exited', { run: 3, handle: handle('c', 2) });
    expect(adoptionQuestions(input([record], ['c']))).toEqual([{ containerId: 'c', run: 3 }]);
  });
});

describe('a restored container', () => {
  it('keeps its recorded end, whatever the record of its shim says', () => {
    const ended = container('c', 'exited');
    const answers: (AdoptionAnswer | undefined)[] = [undefined, { state: 'unstarted' }, exited(null)];
    for (const answer of answers) expect(decideOne(ended, answer, ['c'])).toEqual({ id: 'c', decision: 'keep' });
  });

  it('is adopted when it runs', () => {
    const answer: AdoptionAnswer = { state: 'running', handle: handle('c', 2) };
    expect(decideOne(container('c', 'running'), answer)).toEqual({
      id: 'c',
      decision: 'adopt',
      handle: handle('c', 2),
    });
  });

  it('gets an end that happened without a supervisor', () => {
    expect(decideOne(container('c', 'running'), exited(7))).toMatchObject({
      decision: 'exited',
      exitCode: 7,
      finishedAtMs: 99,
    });
  });

  it('has an unknown exit when its run was not observed', () => {
    expect(decideOne(container('c', 'running'), exited(null))).toMatchObject({ decision: 'exited', exitCode: null });
  });

  it('has a due start when the start failed', () => {
    const record = container('c', 'exited', { run: 3, handle: handle('c', 2) });
    expect(decideOne(record, { state: 'unstarted' }, ['c'])).toEqual({ id: 'c', decision: 'unstarted' });
  });

  it('keeps a run whose state the exec driver cannot determine', () => {
    expect(decideOne(container('c', 'running'))).toEqual({ id: 'c', decision: 'unknown' });
    expect(isUnknown(container('c', 'running', { handle: null }))).toBe(true);
    expect(isUnknown(container('c', 'paused', { handle: null }))).toBe(true);
    expect(isUnknown(container('c', 'running'))).toBe(false);
  });

  it('ignores a process of an earlier boot', () => {
    const answer: AdoptionAnswer = { state: 'running', handle: handle('c', 2, 'earlier') };
    expect(decideOne(container('c', 'running'), answer)).toMatchObject({
      decision: 'exited',
      exitCode: null,
      reason: 'its processes belong to an earlier boot',
    });
  });

  it('keeps a recorded end', () => {
    expect(decideOne(container('c', 'exited'), exited(7), ['c'])).toEqual({ id: 'c', decision: 'keep' });
  });

  it('gets the end of a run that began after the recorded one', () => {
    const record = container('c', 'exited', { run: 3, handle: handle('c', 2) });
    expect(decideOne(record, exited(9), ['c'])).toMatchObject({ decision: 'exited', exitCode: 9 });
  });

  it('of Docker counts as exited, without a query or signal', () => {
    const record = container('c', 'running', { owner: null, run: 0, handle: null, execDriver: 'native-0.2' });
    expect(adoptionQuestions(input([record]))).toEqual([]);
    expect(decideOne(record)).toMatchObject({ decision: 'exited', exitCode: null });
  });

  it.each([
    ['aufs', 'made with graph driver aufs; overlay is in use'],
    ['', 'made with graph driver aufs; overlay is in use'],
  ])('of graph driver "%s" is unavailable, also when it runs', (graphDriver, reason) => {
    expect(decideOne(container('c', 'running', { graphDriver }))).toEqual({ id: 'c', decision: 'unavailable', reason });
  });

  it('of another exec driver is unavailable', () => {
    expect(decideOne(container('c', 'exited', { execDriver: 'lxc' })).decision).toBe('unavailable');
  });
});

describe('names', () => {
  const first = container('1', 'exited', { engineName: 'web' });
  const second = container('2', 'exited', { engineName: 'web' });

  it('restores names that the link graph lost', () => {
    const repairs = decideNames([first], new Set(['1']), [], () => null);
    expect(repairs).toEqual({ missing: [{ path: '/web', id: '1' }], stale: [] });
  });

  it('takes a name from an entity without a container', () => {
    const repairs = decideNames([first], new Set(['1']), ['gone', '1'], (path) => (path === '/web' ? 'gone' : null));
    expect(repairs).toEqual({ missing: [{ path: '/web', id: '1' }], stale: ['gone'] });
  });

  it('never takes a name from a container, readable or not', () => {
    expect(decideNames([first], new Set(['1', 'damaged']), ['damaged'], () => 'damaged')).toEqual({
      missing: [],
      stale: [],
    });
    expect(decideNames([first, second], new Set(['1', '2']), [], () => null).missing).toEqual([
      { path: '/web', id: '1' },
    ]);
  });
});
