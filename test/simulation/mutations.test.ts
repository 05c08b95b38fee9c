/** The simulation can fail: it finds and shrinks each defect that a test injects into one function. */
import { expect, test, vi } from 'vitest';
import type { Op } from '../../src/reconcile/op.ts';
import type { Script } from './script.ts';

type Module = Record<string, (...args: never[]) => unknown>;
type Patch = (real: Module) => Partial<Module>;

interface Mutation {
  readonly title: string;
  readonly path: string;
  readonly patch: Patch;
  /** Other modules that would catch it. */
  readonly also?: Readonly<Record<string, Patch>>;
  /** It is about what clients of the Docker API made. */
  readonly clients?: boolean;
  /** What has to be said about it. */
  readonly broken: RegExp;
}

const done = () => Promise.resolve();

const MUTATIONS: readonly Mutation[] = [
  {
    title: 'a stop that does not stop',
    path: '../../src/reconcile/ops/containers/container-stop.ts',
    patch: () => ({ stopContainer: done }),
    broken: /two payloads|runs|left to do|no owner/,
  },
  {
    title: 'a release of a volume that deletes its data',
    path: '../../src/reconcile/ops/volume.ts',
    patch: ({ removeVolume }) => ({ releaseVolume: removeVolume as Module[string] }),
    broken: /removed without approval/,
  },
  {
    title: 'orphans that are never collected',
    path: '../../src/reconcile/plan/removals.ts',
    patch: () => ({ removeOrphans: () => {} }),
    broken: /has no owner/,
  },
  {
    title: 'restarts without their delay',
    path: '../../src/reconcile/plan/restart.ts',
    patch: ({ decideRestart }) => ({
      decideRestart: (input: never) => {
        const decision = decideRestart?.(input) as { next: string };
        const counters = { restarts: 1, consecutive: 1 };
        return decision.next === 'wait' ? { next: 'start', counters, message: 'at once' } : decision;
      },
    }),
    broken: /after quick failure/,
  },
  {
    title: 'starts that do not wait for dependencies',
    path: '../../src/reconcile/plan/needs.ts',
    patch: () => ({ orderNeeds: () => {} }),
    also: { '../../src/reconcile/start-gate.ts': () => ({ startGate: () => () => null }) },
    broken: /was started before|was not made/,
  },
  {
    title: 'a start gate that does not agree with the plan',
    path: '../../src/reconcile/start-gate.ts',
    patch: () => ({
      startGate:
        () =>
        ({ op }: Op) =>
          op === 'container.start' ? 'it waits' : null,
    }),
    broken: /again and again/,
  },
  {
    title: 'updates that never end',
    path: '../../src/reconcile/plan/verdict.ts',
    patch: () => ({ judge: () => ({ is: 'waiting', untilBootMs: null }) }),
    broken: /no owner|did not get ready|updating/,
  },
  {
    title: 'a cut-over that leaves the name with the predecessor',
    path: '../../src/reconcile/ops/containers/container-cutover.ts',
    patch: () => ({ cutOver: done }),
    broken: /no effect|no owner|did not get ready|left to do/,
  },
  {
    title: 'a lease that is kept after its container is removed',
    path: '../../src/reconcile/ops/networks/stray-leases.ts',
    patch: () => ({ giveUpStrayLeases: done }),
    also: { '../../src/reconcile/plan/gc.ts': () => ({ findOrphans: () => [] }) },
    broken: /lease .* has no owner/,
  },
  {
    title: 'a start that forgets what clients made',
    path: '../../src/supervisor/imperative/restored.ts',
    patch: () => ({ restoredDeclarations: () => [] }),
    clients: true,
    broken: /was made for a client and is lost/,
  },
  {
    title: 'a container of a client that is started when it is made',
    path: '../../src/reconcile/plan/stopped.ts',
    patch: () => ({ isStopped: () => false }),
    clients: true,
    broken: /although no client asked|although a person had stopped/,
  },
];

function mutate(path: string, patch: Patch): void {
  vi.doMock(path, async (original) => {
    const real = (await original()) as Module;
    return { ...real, ...patch(real) };
  });
}

test.each(MUTATIONS)('$title', async ({ path, patch, also = {}, clients = false, broken }) => {
  const mutated = { ...also, [path]: patch };
  vi.resetModules();
  for (const [module, change] of Object.entries(mutated)) mutate(module, change);
  try {
    const { simulate } = await import('./simulate.ts');
    const { failure } = await simulate('mutation', 4_000, { tries: 100, clients });
    expect(failure?.outcome.broken).toMatch(broken);
    expect(failure?.script.actions.length).toBeLessThan(40);
    const { runEpisode } = await import('./episode.ts');
    const replayed = await runEpisode(JSON.parse(JSON.stringify(failure?.script)) as Script);
    expect(replayed.broken).toBe(failure?.outcome.broken);
  } finally {
    for (const module of Object.keys(mutated)) vi.doUnmock(module);
    vi.resetModules();
  }
});
