/** A resolver with sandboxes, on a host of its own: this process moves into a fresh network namespace. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bindSocket } from '../../../src/drivers/network/bound-socket.ts';
import { openInternetSocket } from '../../../src/drivers/network/internet-socket.ts';
import { syscall } from '../../../src/ffi/call/native.ts';
import { createNetns, inNetns } from '../../../src/ffi/process/namespaces.ts';
import { listenAt } from '../../../src/ffi/sockets/sockets.ts';
import type { NameRecord, NetworkState, SandboxState, SocketRole } from '../../../src/resolver/protocol.ts';
import { until } from '../wait.ts';
import { ResolverClient } from './client.ts';

const CLONE_NEWNET = 0x40000000;
export const UNPRIVILEGED = 65534;
const run = promisify(execFile);

/** Moves the process; what it starts from now on is there too. */
export function enterOwnHost(): void {
  syscall('unshare', 'unshare', CLONE_NEWNET);
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
}

export class Resolver {
  readonly directory = mkdtempSync(join(tmpdir(), 'tsd-resolver-'));
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;

  /** @param leaked descriptors that the program is started with by mistake. @param more arguments */
  constructor(program = 'test', leaked: readonly number[] = [], more: readonly string[] = []) {
    const log = openSync(join(this.directory, 'log'), 'a');
    const control = listenAt(join(this.directory, 'control.sock'), 16);
    const lanes = listenAt(join(this.directory, 'descriptors.sock'), 16, 'packets');
    const args = ['dist/resolver.js', '--program', program, ...more];
    this.child = spawn(process.execPath, [...args, '--uid', `${UNPRIVILEGED}`, '--gid', `${UNPRIVILEGED}`], {
      stdio: ['ignore', log, log, control, lanes, ...leaked],
      detached: true,
    });
    for (const fd of [log, control, lanes]) closeSync(fd);
    this.ended = new Promise((resolve) => this.child.once('close', resolve));
  }

  get pid(): number {
    return this.child.pid as number;
  }

  get log(): string {
    return readFileSync(join(this.directory, 'log'), 'utf8');
  }

  connect() {
    return ResolverClient.connect(this.directory);
  }

  async remove(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A network namespace with the sockets that a supervisor makes in it. */
export class TestSandbox {
  readonly netns: number;
  readonly id: string;

  /** @param netns of a namespace that is there; the caller closes it */
  constructor(id: string, netns?: number) {
    this.id = id;
    this.netns = netns ?? createNetns(() => execFileSync('ip', ['link', 'set', 'lo', 'up']));
  }

  inside<T>(use: () => T): T {
    return inNetns(this.netns, use);
  }

  /** Sockets that answer, and those for servers inside. */
  sockets(dial: readonly SocketRole[] = []): (readonly [SocketRole, number])[] {
    return this.inside(() => {
      const bound = (protocol: 'udp' | 'tcp') => {
        const fd = bindSocket({ address: '127.0.0.11', port: 53, protocol });
        if (fd < 0) throw new Error(`cannot bind: errno ${-fd}`);
        return [protocol, fd] as const;
      };
      const dialling = dial.map((role) => {
        const family = role.endsWith('6') ? 'ipv6' : 'ipv4';
        return [role, openInternetSocket(role.startsWith('dial-udp') ? 'udp' : 'tcp', family)] as const;
      });
      return [bound('udp'), bound('tcp'), ...dialling];
    });
  }

  /** A socket for a test that speaks for itself: not bound. */
  socket(protocol: 'udp' | 'tcp' = 'udp'): number {
    return this.inside(() => openInternetSocket(protocol, 'ipv4'));
  }

  /** Runs a program inside. @returns its standard output */
  async run(file: string, ...args: readonly string[]): Promise<string> {
    const enter = [`--net=/proc/${process.pid}/fd/${this.netns}`, file, ...args];
    return (await run('nsenter', enter, { maxBuffer: 1 << 24 })).stdout;
  }

  dig(...args: readonly string[]): Promise<string> {
    return this.run('dig', '@127.0.0.11', '+tries=1', '+time=20', '+nocookie', ...args);
  }

  /** Answers alone, sorted. */
  async short(...args: readonly string[]): Promise<string[]> {
    const text = await this.dig('+short', ...args);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .sort();
  }

  close(): void {
    closeSync(this.netns);
  }
}

const sandboxState = (id: string, changes: Partial<SandboxState> = {}): SandboxState => ({
  id,
  digest: 'first',
  scope: null,
  networks: ['n1'],
  aliases: [],
  forwarding: { from: 'nowhere' },
  ndots: null,
  ...changes,
});

const networkState = (key: string, names: Readonly<Record<string, string | readonly string[]>>): NetworkState => ({
  key,
  digest: 'first',
  labels: [{ label: key, scope: null }],
  names: Object.entries(names).map(([name, addresses]) => nameRecord(name, addresses)),
  pointers: Object.entries(names).flatMap(([name, addresses]) =>
    [addresses].flat().map((address) => ({ address, name: `${name}.${key}` })),
  ),
});

function nameRecord(name: string, addresses: string | readonly string[], scope: string | null = null): NameRecord {
  const all = [addresses].flat();
  return {
    name,
    scope,
    ipv4: all.filter((address) => !address.includes(':')),
    ipv6: all.filter((address) => address.includes(':')),
  };
}

/** Resolver and sandboxes of a test; all is gone after it. */
export class World {
  readonly resolver: Resolver;
  readonly sandboxes: TestSandbox[] = [];
  client!: ResolverClient;

  private constructor(resolver: Resolver) {
    this.resolver = resolver;
  }

  static async start(program?: string, leaked?: readonly number[], more?: readonly string[]): Promise<World> {
    const world = new World(new Resolver(program, leaked, more));
    world.client = (await until('the resolver answers', () => world.resolver.connect())).client;
    return world;
  }

  /** A sandbox that the resolver answers. */
  async sandbox(id: string, state: Partial<SandboxState> = {}, dial: readonly SocketRole[] = []): Promise<TestSandbox> {
    const sandbox = new TestSandbox(id);
    this.sandboxes.push(sandbox);
    await this.client.ask({ kind: 'set-sandbox', sandbox: sandboxState(id, state) });
    await this.client.give(id, sandbox.sockets(dial));
    return sandbox;
  }

  async network(key: string, names: Readonly<Record<string, string | readonly string[]>>): Promise<void> {
    await this.client.ask({ kind: 'set-network', network: networkState(key, names) });
  }

  async remove(): Promise<void> {
    this.client?.close();
    for (const sandbox of this.sandboxes) sandbox.close();
    await this.resolver.remove();
  }
}
