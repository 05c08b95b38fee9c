/** Names that every JavaScript object inherits, in all places of a manifest where a stranger may write a name. */
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { NETWORK_DRIVERS_OF_MANIFESTS } from '../../src/composition/network-drivers.ts';
import { desiredState, type ResolveOptions, type SourceRevision } from '../../src/manifest/desired-state.ts';
import { BUSYBOX_IMAGE, FOREVER } from '../support/manifests.ts';
import { Random } from '../support/random.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const NAMES = Object.getOwnPropertyNames(Object.prototype);
const MUTATIONS = 5_000;

const SEEDS: readonly (readonly [file: string, text: string])[] = [
  [
    'app.yaml',
    'images: { KEY: { build: { context: ., args: { KEY: KEY } }, KEY: 1 } }\nvolumes: { KEY: { KEY: 1 } }\nnetworks: { KEY: { KEY: 1 } }\ncontainers:\n  KEY: { image: KEY, KEY: 1, links: [KEY], network: KEY, env: { KEY: { fromFile: KEY } }, envFile: KEY, labels: { KEY: x }, volumes: ["KEY:/x", "./KEY:/y:ro"], resources: { KEY: 1, ulimits: { KEY: 1 } }, health: { KEY: 1 }, update: { KEY: 1 }, restart: KEY, log: { driver: KEY } }\nKEY: 1\n',
  ],
  [
    'compose.yaml',
    'services:\n  KEY: { image: "$KEY", KEY: 1, depends_on: [KEY], networks: [KEY], environment: { KEY: x }, labels: { KEY: x }, volumes: ["KEY:/x"], deploy: { KEY: 1, restart_policy: { condition: KEY } }, logging: { driver: KEY, options: { KEY: a } }, ulimits: { KEY: 1 }, secrets: [KEY], configs: [KEY], extends: { service: KEY } }\nnetworks: { KEY: { driver_opts: { KEY: x } } }\nvolumes: { KEY: { driver_opts: { KEY: x } } }\nsecrets: { KEY: { file: KEY } }\nconfigs: { KEY: { file: KEY } }\nKEY: 1\n',
  ],
  [
    'pod.yaml',
    'apiVersion: v1\nkind: Pod\nmetadata: { name: a, labels: { KEY: x }, annotations: { KEY: x } }\nspec: { KEY: 1, containers: [{ name: a, image: b, KEY: 1, env: [{ name: KEY, value: x }, { name: B, valueFrom: { configMapKeyRef: { name: KEY, key: KEY } } }], volumeMounts: [{ name: KEY, mountPath: /x }], resources: { limits: { KEY: 1 } } }] }\n',
  ],
  [
    'a.container',
    '[Container]\nImage=a\nKEY=x\nEnvironment=KEY=x\nVolume=KEY:/x\nNetwork=KEY\nPodmanArgs=--KEY\n[KEY]\na=b\n',
  ],
];

const options: ResolveOptions = {
  generation: 1,
  defaultHostIp: '0.0.0.0',
  networkDrivers: NETWORK_DRIVERS_OF_MANIFESTS,
  readFile: () => ({ ok: false, reason: 'missing', message: 'no such file' }),
  hashSecret: (bytes) => createHash('sha256').update(bytes).digest('hex'),
};

const revision = (file: string, text: string): SourceRevision => ({
  sourceId: file,
  file: `/m/${file}`,
  baseDir: '/m',
  content: { ok: true, text },
  lastGood: null,
});

/** Is taken over, whatever the other file says. */
const BESIDE = revision('beside.yaml', 'images: { i: { rootfs: /r } }\ncontainers: { web: { image: i } }\n');

test(`${MUTATIONS} manifests with inherited names are accepted or rejected without a defect`, () => {
  const random = new Random(11);
  const pick = <T>(from: readonly T[]): T => from[random.below(from.length)] as T;
  for (let round = 0; round < MUTATIONS; round++) {
    const [file, seed] = pick(SEEDS);
    const text = seed.replace(/KEY/g, () => (random.next() < 0.15 ? pick(NAMES) : 'b'));
    const { state, sources } = desiredState([revision(file, text), BESIDE], options);
    const outcome = sources.get(file);
    expect(state.resources.has('container/beside/web'), text).toBe(true);
    const defects = outcome?.issues.filter(
      ({ code, message }) => code === 'TSD_BUG' || message.includes('[native code]'),
    );
    expect(defects, text).toEqual([]);
  }
});

let supervisor: TestSupervisor;
beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});
afterEach(() => supervisor.destroy());

test.each(['constructor', 'toString', '__proto__'])('a field called %s rejects its file only', async (name) => {
  supervisor.drop('bad.yaml', `containers: { a: { image: b, ${name}: 1 } }\n`);
  await until('the refusal', async () => (await supervisor.ok('get', 'manifests')).includes('Rejected'));
  expect(await supervisor.ok('get', 'manifests')).toMatch(/Rejected/);
  supervisor.drop('good.yaml', `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER} }\n`);
  await supervisor.waitFor('web', 'runs', ({ ready }) => ready);
  await supervisor.crash();
  await supervisor.start();
  supervisor.drop('later.yaml', `containers:\n  later: { image: good/busybox, command: ${FOREVER} }\n`);
  await supervisor.waitFor('later', 'runs', ({ ready }) => ready);
});
