/** The supervisor is killed at every step of what a client of the Docker API asks for; then the client asks again. */
import { expect, test } from 'vitest';
import { runEpisode } from './episode.ts';
import type { Asked } from './ledger.ts';
import type { Action, Deed } from './script.ts';

const RUN = { image: 'app', command: ['run'], restart: 'always' };
const WRITTEN = { command: ['run'], restart: 'always', network: 'bridge', ports: ['81'], stopTimeout: '1s' };
const CREATE: Asked = { do: 'client-create', name: 'one', written: WRITTEN, autoRemove: false };
const START: Deed = { do: 'start', key: 'container/@docker/one' };
const STOP: Deed = { do: 'stop', key: 'container/@docker/one' };
/** Who is in its network, whose declaration changes with its name. */
const FRIEND: Asked = {
  do: 'client-create',
  name: 'six',
  written: { ...WRITTEN, network: 'container:one', ports: [] },
  autoRemove: false,
};
const RENAME: Asked = { do: 'client-rename', name: 'one', to: 'ten' };
const REMOVE: Asked = { do: 'client-remove', name: 'one', force: true };

interface Case {
  readonly what: string;
  readonly before: readonly Deed[];
  readonly deed: Deed;
  /** Containers of clients when all is at rest. */
  readonly left: readonly string[];
}

const CASES: readonly Case[] = [
  { what: 'create', before: [], deed: CREATE, left: ['one rests'] },
  { what: 'start', before: [CREATE], deed: START, left: ['one runs'] },
  { what: 'stop', before: [CREATE, START], deed: STOP, left: ['one rests'] },
  { what: 'rename of what rests', before: [CREATE], deed: RENAME, left: ['ten rests'] },
  {
    what: 'rename of what runs and shares its network',
    before: [CREATE, START, FRIEND, { do: 'start', key: 'container/@docker/six' }],
    deed: RENAME,
    left: ['six runs', 'ten runs'],
  },
  { what: 'removal of what rests', before: [CREATE], deed: REMOVE, left: [] },
  { what: 'removal of what runs', before: [CREATE, START], deed: REMOVE, left: [] },
];

const after = (afterMs: number, deed: Deed): Action => ({ ...deed, afterMs });

test.each(CASES)('$what', async ({ before, deed, left }) => {
  let crashed = true;
  for (let steps = 0; crashed; steps++) {
    const outcome = await runEpisode({
      seed: 'client crash',
      actions: [
        after(0, { do: 'edit', app: 'blog', declared: { images: { app: '/one.tar' }, containers: { web: RUN } } }),
        ...before.map((earlier) => after(5_000, earlier)),
        after(5_000, { do: 'crash', steps, downMs: 100 }),
        after(0, deed),
        after(5_000, deed),
        after(5_000, { do: 'wait' }),
      ],
    });
    const { broken, log } = outcome;
    expect(broken, `killed at step ${steps}\n${broken === null ? '' : log.join('\n')}`).toBeNull();
    expect(outcome.left, `killed at step ${steps}\n${log.join('\n')}`).toEqual(left);
    crashed = log.some((line) => line.endsWith('supervisor is gone'));
  }
});

test('a rename that is not asked for again has happened, or not, and leaves one name', async () => {
  let crashed = true;
  for (let steps = 0; crashed; steps++) {
    const { broken, log, left } = await runEpisode({
      seed: 'rename once',
      actions: [
        after(0, { do: 'edit', app: 'blog', declared: { images: { app: '/one.tar' }, containers: { web: RUN } } }),
        after(5_000, CREATE),
        after(5_000, { do: 'crash', steps, downMs: 100 }),
        after(0, RENAME),
        after(5_000, { do: 'wait' }),
      ],
    });
    expect(broken, `killed at step ${steps}\n${broken === null ? '' : log.join('\n')}`).toBeNull();
    expect([['one rests'], ['ten rests']]).toContainEqual(left);
    crashed = log.some((line) => line.endsWith('supervisor is gone'));
  }
});
