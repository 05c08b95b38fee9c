/** The supervisor is killed at every step and at every wait of some changes, one after the other. */
import { expect, test } from 'vitest';
import type { App } from '../support/declare.ts';
import { runEpisode } from './episode.ts';

const RUN = { image: 'app', command: ['run'], restart: 'always' };
const SHOWN = {
  ...RUN,
  ports: ['8001:80', '81'],
  health: { exec: ['probe'], interval: '2s' },
  volumes: ['data:/data'],
};
const START_FIRST = { order: 'start-first', timeout: '30s', drain: '1s', sharedVolumes: true };
const SLOW = { preset: 'docker', initial: '2s' };
const AROUND = { images: { app: '/one.tar' }, volumes: { data: { onRemove: 'keep' } }, networks: { back: {} } };

const app = (containers: App['containers']): App => ({ ...AROUND, ...(containers && { containers }) });
const PAIR = { db: { ...RUN, network: 'back' }, web: { ...SHOWN, network: 'back', links: ['db'] } };

/** A container on these networks, with a published port where it has any. */
function several(networks: 'none' | readonly string[] | object): App {
  const web = networks === 'none' ? { ...RUN, network: 'none' } : { ...RUN, networks, ports: ['8001:80'] };
  return { ...app({ web }), networks: { back: {}, front: {} } };
}

/** What there is, and what is declared instead while the supervisor is killed. */
const CHANGES: readonly (readonly [string, App | null, App | null])[] = [
  ['making', null, app(PAIR)],
  [
    'failing',
    null,
    app({ web: { ...RUN, command: ['exit', '1', '0'], restart: { policy: 'always', backoff: SLOW } } }),
  ],
  ['removing', app(PAIR), null],
  ['recreating', app(PAIR), app({ ...PAIR, db: { ...PAIR.db, readOnly: true } })],
  [
    'starting first',
    app({ ...PAIR, web: { ...PAIR.web, update: START_FIRST } }),
    app({ ...PAIR, web: { ...PAIR.web, env: { WORD: '1' }, update: START_FIRST } }),
  ],
  [
    'going back',
    app({ web: { ...SHOWN, update: START_FIRST } }),
    app({ web: { ...SHOWN, command: ['exit', '1', '500'], update: START_FIRST } }),
  ],
  [
    'joining and leaving networks live',
    several(['back', 'front']),
    { ...several(['bridge', 'front']), networks: { front: {} } },
  ],
  ['joining a first network live', several('none'), several({ back: { gatewayPriority: 1 }, front: {} })],
  ['leaving the last network live', several(['back', 'front']), several('none')],
  [
    'recreating the owner of a shared network',
    app({ ...PAIR, side: { ...RUN, network: 'container:db' } }),
    app({ ...PAIR, db: { ...PAIR.db, readOnly: true }, side: { ...RUN, network: 'container:db' } }),
  ],
  [
    'moving a network of a container that shares it',
    app({ ...PAIR, side: { ...RUN, network: 'container:db' } }),
    { ...app({ ...PAIR, side: { ...RUN, network: 'container:db' } }), networks: { back: { subnet: '10.80.0.0/24' } } },
  ],
  ['moving a network', app(PAIR), { ...app(PAIR), networks: { back: { icc: false, subnet: '10.80.0.0/24' } } }],
];

test.each(CHANGES)('%s', async (_what, before, after) => {
  let crashed = true;
  for (let steps = 0; crashed; steps++) {
    const { broken, log } = await runEpisode({
      seed: 'every crash',
      actions: [
        { do: 'edit', app: 'blog', declared: before, afterMs: 0 },
        { do: 'crash', steps, downMs: 100, afterMs: 8_000 },
        { do: 'edit', app: 'blog', declared: after, afterMs: 0 },
        { do: 'wait', afterMs: 4_000 },
      ],
    });
    expect(broken, `killed at step ${steps}\n${broken === null ? '' : log.join('\n')}`).toBeNull();
    crashed = log.some((line) => line.endsWith('supervisor is gone'));
  }
});

test('who shares the network of a container that ends while no supervisor runs is in its network afterwards', async () => {
  const shared = app({
    ...PAIR,
    side: { ...RUN, network: 'container:db' },
    third: { ...RUN, network: 'container:db' },
  });
  let crashed = true;
  for (let steps = 0; crashed; steps++) {
    const { broken, log } = await runEpisode({
      seed: 'shared',
      actions: [
        { do: 'edit', app: 'blog', declared: shared, afterMs: 0 },
        { do: 'crash', steps, downMs: 20_000, afterMs: 5_000 },
        { do: 'edit', app: 'blog', declared: { ...shared, images: { app: '/two.tar' } }, afterMs: 0 },
        { do: 'exit', key: 'container/blog/db', code: 1, oom: false, afterMs: 8_000 },
        { do: 'wait', afterMs: 4_000 },
      ],
    });
    expect(broken, `killed at step ${steps}\n${broken === null ? '' : log.join('\n')}`).toBeNull();
    crashed = log.some((line) => line.endsWith('supervisor is gone'));
  }
});

/** Where the cut-over took place the successor has the address that it had before beside, and the last one finds none. */
const isOneTooMany = (broken: string | null): boolean =>
  /^container\/blog\/d did not get ready: [^\n]* in use: [^\n]*container\/blog\/web\.former[^\n]*$/.test(broken ?? '');

/** All addresses of the network are used in the end, so that one that two containers may have is given to a second one. */
test('a predecessor that continues after an interrupted cut-over keeps its address', async () => {
  const small = (containers: App['containers']): App => ({
    images: { app: '/one.tar' },
    networks: { back: { subnet: '10.80.0.0/29' } },
    ...(containers && { containers }),
  });
  const web = { ...RUN, network: 'back' };
  const changed = { ...web, env: { WORD: '1' }, update: { order: 'start-first', sharedVolumes: true } };
  let crashed = true;
  for (let steps = 0; crashed; steps++) {
    const { broken, log } = await runEpisode({
      seed: 'interrupted',
      actions: [
        { do: 'edit', app: 'blog', declared: small({ web }), afterMs: 0 },
        { do: 'crash', steps, downMs: 20_000, afterMs: 5_000 },
        { do: 'edit', app: 'blog', declared: small({ web: changed }), afterMs: 0 },
        { do: 'exit', key: 'container/blog/web.next', code: 1, oom: false, afterMs: 8_000 },
        { do: 'edit', app: 'blog', declared: small({ web, a: web, b: web, c: web, d: web }), afterMs: 60_000 },
        { do: 'wait', afterMs: 4_000 },
      ],
    });
    if (!isOneTooMany(broken)) expect(broken, `killed at step ${steps}\n${log.join('\n')}`).toBeNull();
    crashed = log.some((line) => line.endsWith('supervisor is gone'));
  }
});
