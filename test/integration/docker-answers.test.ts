/** Answers that clients of Docker compare with what they asked for, as docker-py's tests do. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { busyboxArchive } from '../support/busybox-image.ts';
import { ask, docker } from '../support/docker-client.ts';
import { tarOf } from '../support/images.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
  await supervisor.ok('load', '-i', supervisor.file('busybox.tar', busyboxArchive('busybox:latest')));
});
afterAll(() => supervisor.destroy());

async function say(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await docker(supervisor.socket, args);
  expect(status, stderr).toBe(0);
  return stdout.trim();
}

async function answer<T>(method: string, path: string, body?: unknown): Promise<T> {
  const { status, body: text } = await ask(supervisor.socket, method, path, { body });
  expect(status, text.toString()).toBeLessThan(300);
  return JSON.parse(text.toString()) as T;
}

/** The lines of a build of one Dockerfile. */
async function build(query: string, dockerfile: string): Promise<readonly string[]> {
  const { body } = await ask(supervisor.socket, 'POST', `/build?${query}`, {
    body: tarOf({ path: 'Dockerfile', content: dockerfile }),
    headers: { 'content-type': 'application/x-tar' },
  });
  const lines = body.toString().trim().split('\r\n');
  return lines.map((line) => (JSON.parse(line) as { stream?: string }).stream ?? '');
}

test('a volume that is made without a name is one of those that prune takes', async () => {
  const { Name, Labels } = await answer<{ Name: string; Labels: object }>('POST', '/volumes/create', {
    Labels: { a: 'b' },
  });
  expect(Labels).toEqual({ 'com.docker.volume.anonymous': '', a: 'b' });
  await say('volume', 'create', 'kept');
  const { VolumesDeleted } = await answer<{ VolumesDeleted: string[] }>('POST', '/volumes/prune');
  expect(VolumesDeleted).toEqual([Name]);
  expect(await say('volume', 'ls', '-q')).toBe('kept');
  await say('volume', 'rm', 'kept');
});

test('a container that was never healthy is unhealthy when its tries are used up', async () => {
  const health = ['--health-cmd', 'false', '--health-interval', '100ms', '--health-retries', '1'];
  await say('run', '-d', '--name', 'ill', ...health, 'busybox', 'sleep', '1000');
  await until(
    'the container unhealthy',
    async () => (await say('inspect', '-f', '{{.State.Health.Status}}', 'ill')) === 'unhealthy',
  );
  expect(await say('ps', '--filter', 'health=unhealthy', '--format', '{{.Names}}')).toBe('ill');
  await say('rm', '-f', 'ill');
});

test('a container whose next run is due is removed only by force', async () => {
  const id = await say('run', '-d', '--name', 'again', '--restart', 'always', 'busybox', 'sh', '-c', 'exit 3');
  await answer('POST', `/containers/${id}/wait?condition=next-exit`);
  const refused = await ask(supervisor.socket, 'DELETE', `/containers/${id}`);
  expect(refused.status).toBe(409);
  expect(refused.body.toString()).toContain('stop the container before removing or force remove');
  await say('stop', 'again');
  expect(await say('ps', '-a', '--format', '{{.Names}} {{.State}}')).toBe('again exited');
  await say('rm', 'again');
});

test('a network has the pools and options that were asked for', async () => {
  // The network takes one of the supervisor's own ranges, which no other test has.
  const free = await answer<{ Id: string }>('POST', '/networks/create', { Name: 'free' });
  const found = await answer<{ IPAM: { Config: { Subnet: string }[] } }>('GET', `/networks/${free.Id}`);
  await say('network', 'rm', 'free');
  const Subnet = found.IPAM.Config[0]?.Subnet ?? '';
  const at = (last: number): string => Subnet.replace(/0\/24$/, `${last}`);
  const pool = { Subnet, Gateway: at(254), AuxiliaryAddresses: { router: at(5) } };
  await answer('POST', '/networks/create', { Name: 'pools', IPAM: { Driver: 'default', Config: [pool] } });
  const network = await answer<{ IPAM: unknown }>('GET', '/networks/pools');
  expect(network.IPAM).toEqual({ Driver: 'default', Options: null, Config: [pool] });
  await say('network', 'rm', 'pools');
});

test('changes have what the container changed, and nothing of where its files are mounted', async () => {
  await say('run', '--name', 'changer', 'busybox', 'touch', '/test');
  expect(await say('diff', 'changer')).toBe('A /test');
  await say('rm', 'changer');
  await say('run', '--name', 'changer', 'busybox', 'sh', '-c', 'echo x > /etc/own; touch /tmp/x; chmod 700 /tmp');
  expect((await say('diff', 'changer')).split('\n').sort()).toEqual(['A /etc/own', 'A /tmp/x', 'C /etc', 'C /tmp']);
  const { Id } = await answer<{ Id: string }>('POST', '/commit?container=changer&repo=changed');
  const image = await answer<{ Id: string; Parent: string }>('GET', '/images/changed/json');
  expect(image).toMatchObject({ Id, Parent: await say('inspect', '-f', '{{.Image}}', 'changer') });
  await say('rm', 'changer');
  await say('rmi', 'changed');
});

test('a build tells both outputs apart, and takes steps of named images only where one is there', async () => {
  const dockerfile = 'FROM busybox\nRUN echo loud >&2\nRUN echo plain\n';
  const first = await build('t=steps', dockerfile);
  expect(first).toContain('\u001b[91mloud\n\u001b[0m');
  expect(first).toContain('plain\n');
  const cached = async (sources: readonly string[]) =>
    (await build(`cachefrom=${encodeURIComponent(JSON.stringify(sources))}`, dockerfile)).filter((line) =>
      line.includes('Using cache'),
    ).length;
  expect(await cached(['steps'])).toBe(2);
  expect(await cached(['nosuch', 'steps'])).toBe(2);
  expect(await cached(['nosuch'])).toBe(0);
  await say('rmi', 'steps');
});
