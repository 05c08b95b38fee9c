/**
 * Compose files start on a stand-in for their images, and each service finds the names of those on its networks and no others:
 * our own, and with TSD_CORPUS those of a directory of yours.
 */
import { chmodSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ContainerView } from '../../src/api/views/resource-views.ts';
import { safeName } from '../../src/manifest/importers/names.ts';
import { CHECKS, type Example, type ExampleService, prepareExample } from '../support/compose-example.ts';
import { addressesOf } from '../support/names.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const OWN = join(import.meta.dirname, '../fixtures/compose');
const corpus = process.env.TSD_CORPUS;

const found = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.ya?ml$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => /^services:/m.test(readFileSync(path, 'utf8')))
    .sort();

const nameOf = (path: string): string =>
  basename(path)
    .toLowerCase()
    .replace(/(\.compose)?\.ya?ml$/, '');

const WASM = 'a service is WebAssembly for wasi/wasm, which needs a runtime other than the kernel';
/** Files of docker/awesome-compose that cannot start, with the reason. */
const IMPOSSIBLE: Readonly<Record<string, string>> = { 'wasmedge-kafka-mysql': WASM, 'wasmedge-mysql-nginx': WASM };
const files = [...found(OWN), ...(corpus === undefined ? [] : found(corpus))].filter(
  (path) => IMPOSSIBLE[nameOf(path)] === undefined,
);

/** In its own network, where every port is free, with its own copies of the directories that files bind. */
const OWN_PLACE = `
ip link set lo up
mount -t tmpfs tmpfs /mnt
for directory in etc root usr; do
  mkdir -p /mnt/$directory/upper /mnt/$directory/work
  mount -t overlay -o "lowerdir=/$directory,upperdir=/mnt/$directory/upper,workdir=/mnt/$directory/work" overlay /$directory
done
mkdir -p /lib/modules
mount -t tmpfs tmpfs /run
: >/run/docker.sock
exec "$@"`;

const STAND_IN = 'stand-in:latest';
const DOCKERFILE = `FROM busybox
COPY root/ /
ENTRYPOINT ["sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait; done"]
`;

async function supervise(): Promise<TestSupervisor> {
  const supervisor = new TestSupervisor([], ['unshare', '-m', '-n', 'sh', '-ec', OWN_PLACE, 'sh']);
  for (const directory of ['usr/bin', 'opt/mssql-tools/bin']) {
    for (const check of CHECKS)
      chmodSync(supervisor.file(`stand-in/root/${directory}/${check}`, '#!/usr/bin/sh\nexit 0\n'), 0o755);
  }
  symlinkSync('busybox', join(supervisor.base, 'stand-in/root/usr/bin/sh'));
  supervisor.file('stand-in/root/etc/passwd', 'root:x:0:0:::\npostgres:x:999:999:::\n');
  supervisor.file('stand-in/Dockerfile', DOCKERFILE);
  const manifest = 'images: { busybox: { host: [busybox] }, stand-in: { build: ./stand-in } }\n';
  await supervisor.start();
  await supervisor.ok('apply', '--wait', '-f', supervisor.file('stand-ins.yaml', manifest));
  await supervisor.ok('tag', 'stand-ins/stand-in', STAND_IN);
  return supervisor;
}

/** Two, so that one works while the other waits. */
let supervisors: TestSupervisor[] = [];

beforeAll(async () => {
  supervisors = await Promise.all([supervise(), supervise()]);
});

afterAll(async () => {
  await Promise.all(supervisors.map((supervisor) => supervisor.destroy()));
});

/** Addresses of a container on these networks of its app. */
const addressesOn = ({ app, endpoints = [] }: ContainerView, networks: readonly string[]): (string | undefined)[] =>
  endpoints
    .filter(({ network }) => networks.some((name) => network === `${app}/${safeName(name)}`))
    .flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6])
    .map((address) => address?.split('/')[0]);

/** What a service finds by each name of its project, as far as it is not what it should find. */
async function mistaken(example: Example, views: readonly ContainerView[]): Promise<string[]> {
  const wrong: string[] = [];
  const viewOf = ({ container }: ExampleService) => views.find(({ name }) => name === container);
  for (const from of example.services.filter(({ networks }) => networks.length > 0)) {
    const pid = viewOf(from)?.pid ?? 0;
    for (const to of example.services) {
      const view = viewOf(to);
      for (const { name, networks: known } of view ? to.names : []) {
        const networks = from.networks.filter((network) => known.includes(network));
        const there = addressesOn(view as ContainerView, networks);
        const addresses = await addressesOf(pid, name);
        const isRight = addresses.length > 0 === networks.length > 0 && addresses.every((one) => there.includes(one));
        if (!isRight) wrong.push(`${from.container} finds ${JSON.stringify(addresses)} by ${name}`);
        if (from.words.includes(name) && networks.length === 0)
          wrong.push(`${from.container} asks for ${name} in vain`);
      }
    }
  }
  return wrong;
}

/** Null where everything starts and finds what it should; else what is wrong. */
async function outcomeOf(path: string, supervisor: TestSupervisor): Promise<readonly string[] | string | null> {
  const app = nameOf(path);
  const example = prepareExample(join(supervisor.base, app), app, readFileSync(path, 'utf8'), 'stand-in');
  for (const image of example.images) await supervisor.ok('tag', STAND_IN, image);
  const { status, stdout, stderr } = await supervisor.cli('apply', '--wait=1m', '-f', example.file);
  if (status !== 0) return `${stdout}${stderr}`;
  const views = (await supervisor.containers()).filter((view) => view.app === app);
  if (views.length !== example.services.length) return `${views.length} containers run`;
  const wrong = await mistaken(example, views);
  await supervisor.ok('delete', '-f', example.file);
  await until('its ports are free again', async () =>
    (await supervisor.containers()).every((view) => view.app !== app),
  );
  return wrong.length === 0 ? null : wrong;
}

test(`${files.length} Compose files start, and each service finds the names of its networks`, async () => {
  const waiting = [...files];
  const outcomes = new Map<string, readonly string[] | string | null>();
  await Promise.all(
    supervisors.map(async (supervisor) => {
      for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
        outcomes.set(nameOf(path), await outcomeOf(path, supervisor));
      }
    }),
  );
  expect(Object.fromEntries(outcomes)).toEqual(Object.fromEntries(files.map((path) => [nameOf(path), null])));
}, 900_000);
