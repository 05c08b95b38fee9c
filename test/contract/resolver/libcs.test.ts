/** What programs of glibc and musl make of the answers: getaddrinfo(3) inside a sandbox with a resolv.conf of its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildProbes } from '../../support/libc-probe.ts';
import { enterOwnHost, type TestSandbox, World } from '../../support/resolver/fixture.ts';
import { addressOf, StubServer } from '../../support/resolver/stub-server.ts';

enterOwnHost();

let world: World;
let directory: string;
let sandbox: TestSandbox;
let server: StubServer;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tsd-libcs-'));
  buildProbes(directory);
  writeFileSync(join(directory, 'resolv.conf'), 'nameserver 127.0.0.11\noptions ndots:0\n');
  writeFileSync(join(directory, 'nsswitch.conf'), 'hosts: dns\n');
  world = await World.start();
  await world.network('n1', {
    web: ['10.1.0.2', 'fd00:1::2'],
    four: '10.1.0.4',
    six: 'fd00:1::6',
    many: Array.from({ length: 100 }, (_, index) => `10.1.1.${index + 1}`),
  });
  server = new StubServer('127.0.0.53', (asked) => [addressOf(asked, '192.0.2.1')]);
  const servers = [{ address: '127.0.0.53', port: 53 }];
  await world.client.ask({ kind: 'set-host-servers', digest: 'x', servers });
  sandbox = await world.sandbox('libcs', { forwarding: { from: 'host' } });
});
afterAll(async () => {
  server.close();
  await world.remove();
  rmSync(directory, { recursive: true, force: true });
});

async function lookUp(libc: string, family: '4' | '6' | 'any', name: string, ...more: string[]): Promise<string[]> {
  const bind = (file: string) => `mount --bind ${directory}/${file} /etc/${file}`;
  const script = `${bind('resolv.conf')} && ${bind('nsswitch.conf')} && exec ${directory}/${libc} "$@"`;
  const out = await sandbox.run('unshare', '--mount', 'sh', '-c', script, 'sh', family, name, ...more);
  return out
    .split('\n')
    .filter((line) => line !== '')
    .sort();
}

describe.each(['glibc', 'musl'])('%s', (libc) => {
  it('finds the addresses of a peer, of both families and by an address', async () => {
    expect(await lookUp(libc, 'any', 'web')).toEqual(['10.1.0.2', 'fd00:1::2']);
    expect(await lookUp(libc, '4', 'web', 'reverse')).toEqual(['10.1.0.2', 'web.n1']);
    expect(await lookUp(libc, '6', 'web', 'reverse')).toEqual(['fd00:1::2', 'web.n1']);
  });

  it('finds a name that lacks a family, and has no answer for that family alone', async () => {
    expect(await lookUp(libc, 'any', 'four')).toEqual(['10.1.0.4']);
    expect(await lookUp(libc, 'any', 'six')).toEqual(['fd00:1::6']);
    expect((await lookUp(libc, '6', 'four'))[0]).toMatch(/^EAI_NO(DATA|NAME)$/);
  });

  it('finds all addresses of a name that has more than a datagram holds', async () => {
    const found = await lookUp(libc, '4', 'many');
    // musl takes 48 addresses of a name at most.
    expect(found.length).toBe(libc === 'musl' ? 48 : 100);
  });

  it('finds names outside', async () => {
    expect(await lookUp(libc, '4', 'example.com')).toEqual(['192.0.2.1']);
  });
});
