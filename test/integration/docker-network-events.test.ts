/** Events of networks and volumes, with the attributes that dockerd gives them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { busyboxArchive } from '../support/busybox-image.ts';
import { docker } from '../support/docker-client.ts';
import { TestSupervisor } from '../support/supervisor.ts';

let supervisor: TestSupervisor;

beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
  await supervisor.ok('load', '-i', supervisor.file('busybox.tar', busyboxArchive('busybox:latest')));
}, 60_000);
afterAll(() => supervisor.destroy(), 60_000);

async function say(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await docker(supervisor.socket, args);
  expect(status, `docker ${args.join(' ')}: ${stderr}`).toBe(0);
  return stdout.trim();
}

interface Message {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
}

/** Those of networks and volumes since a time, and starts and ends of containers among them. */
async function since(time: string): Promise<readonly Message[]> {
  const until = `${Date.now() / 1000 + 1}`;
  const text = await say('events', '--since', time, '--until', until, '--format', '{{json .}}');
  const all = text.split('\n').map((line): Message => JSON.parse(line));
  return all.filter(({ Type, Action }) => Type !== 'container' || ['start', 'die'].includes(Action));
}

const short = ({ Type, Action, Actor }: Message): string => `${Type} ${Action} ${Actor.Attributes.name ?? Actor.ID}`;
const now = (): string => `${Date.now() / 1000}`;

test('a run gets networks and volumes before its start, and is off them before its end', async () => {
  const from = now();
  const network = await say('network', 'create', 'back');
  await say('network', 'create', 'other');
  await say('volume', 'create', 'data');
  const id = await say(
    'run',
    '-d',
    '--name',
    'web',
    '--network',
    'back',
    '-v',
    'data:/data:ro',
    'busybox',
    'sleep',
    '1000',
  );
  await say('network', 'connect', 'other', 'web');
  await say('network', 'disconnect', 'other', 'web');
  await say('stop', '-t', '0', 'web');
  await say('rm', 'web');
  await say('network', 'rm', 'back', 'other');
  await say('volume', 'rm', 'data');
  const events = await since(from);
  expect(events.map(short)).toEqual([
    'network create back',
    'network create other',
    'volume create data',
    'network connect back',
    'volume mount data',
    'container start web',
    'network connect other',
    'network disconnect other',
    'network disconnect back',
    'volume unmount data',
    'container die web',
    'network destroy back',
    'network destroy other',
    'volume destroy data',
  ]);
  const [created, , , connected, mounted] = events;
  expect(created?.Actor).toEqual({ ID: network, Attributes: { name: 'back', type: 'bridge' } });
  expect(connected?.Actor).toEqual({ ID: network, Attributes: { container: id, name: 'back', type: 'bridge' } });
  const attributes = { container: id, destination: '/data', driver: 'local', propagation: '', 'read/write': 'false' };
  expect(mounted?.Actor).toEqual({ ID: 'data', Attributes: attributes });
  expect(events.find(({ Action }) => Action === 'unmount')?.Actor.Attributes).toEqual({
    container: id,
    driver: 'local',
  });
  expect(events.find(({ Action }) => Action === 'destroy')?.Actor.ID).toBe(network);
});

test('a run that outlives a supervisor is off its network with the next one', async () => {
  await say('run', '-d', '--name', 'kept', '--network', 'none', 'busybox', 'sleep', '1000');
  await supervisor.crash();
  await supervisor.start();
  const from = now();
  await say('kill', 'kept');
  expect((await since(from)).map(short)).toEqual(['network disconnect none', 'container die kept']);
  await say('rm', 'kept');
});

test('a killed run ends by that signal, and by no other that is sent before', async () => {
  const script = 'trap "exit 0" TERM; while :; do sleep 1 & wait; done';
  await say('create', '--name', 'stubborn', 'busybox', 'sh', '-c', script);
  for (let round = 0; round < 5; round++) {
    await say('start', 'stubborn');
    await say('kill', 'stubborn');
    expect(await say('inspect', '-f', '{{.State.ExitCode}}', 'stubborn')).toBe('137');
  }
  await say('rm', 'stubborn');
});
