/**
 * A host of its own for a test file: the process moves into a fresh network namespace, so the driver finds no other
 * interface, rule or setting than what the test makes, and the real host sees none of it. `outside` is another machine
 * on the same wire. Everything vanishes with the process, whatever happened.
 */

import { execFileSync } from 'node:child_process';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { on } from 'node:events';
import { closeSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, Socket } from 'node:net';
import { constants } from 'node:os';
import { afterEach, beforeEach } from 'vitest';
import type { OriginalSettings } from '../../../src/drivers/contract/driver.ts';
import type {
  EndpointConfig,
  NetworkConfig,
  Networks,
  PublishedPort,
  Sandbox,
} from '../../../src/drivers/contract/network.ts';
import { bindSocket } from '../../../src/drivers/network/bound-socket.ts';
import type { BridgeNetwork, BridgeRange } from '../../../src/drivers/network/bridge/network-options.ts';
import { type NetworkDriverContext, openNetworks } from '../../../src/drivers/network/open.ts';
import { NETWORK_DRIVERS } from '../../../src/drivers/registry.ts';
import { syscall, trySyscall } from '../../../src/ffi/call/native.ts';
import { addressBytes, familyNumber } from '../../../src/ffi/network/address-bytes.ts';
import { createNetns, inNetns } from '../../../src/ffi/process/namespaces.ts';
import { macOfAddress } from '../../../src/model/addresses.ts';
import { relayHere } from '../../support/relays.ts';

const CLONE_NEWNET = 0x40000000;
export const INSTANCE = 'abc123';
export const HOST_ADDRESS = '198.51.100.1';
export const OUTSIDE_ADDRESS = '198.51.100.2';
export const PUBLISHED: PublishedPort = { hostIp: '0.0.0.0', hostPort: 8080, containerPort: 80, protocol: 'tcp' };
/** An open connection answers at once; only where a blocked one is expected is it given up soon. */
const OPEN_WITHIN_MS = 5_000;
const BLOCKED_AFTER_MS = 250;

export function shell(command: string): string {
  return execFileSync('sh', ['-c', command], { encoding: 'utf8' });
}

/** Moves this process to its private host. Returns the descriptor of the machine outside. */
export function enterPrivateHost(): number {
  syscall('unshare', 'unshare', CLONE_NEWNET);
  shell('ip link set lo up');
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '0');
  const outside = createNetns(() => shell('ip link set lo up'));
  shell(`ip link add uplink type veth peer name wire && ip link set wire netns /proc/${process.pid}/fd/${outside}`);
  shell(`ip addr add ${HOST_ADDRESS}/24 dev uplink && ip link set uplink up`);
  inNetns(outside, () => shell(`ip addr add ${OUTSIDE_ADDRESS}/24 dev wire && ip link set wire up`));
  return outside;
}

/** Kept in memory: they outlive a driver, as they do on a disk. */
export function inMemory(kept = new Map<string, string>()): OriginalSettings {
  return {
    get: (path) => kept.get(path) ?? null,
    set: (path, original) => (original === null ? kept.delete(path) : kept.set(path, original)),
  };
}

/** All drivers of the registry, as a supervisor has them, and what they want relayed is relayed until it is closed. */
export function newDriver(options: Partial<NetworkDriverContext> = {}): Networks {
  const instance = { id: INSTANCE, root: '/nonexistent', runDir: '/nonexistent' };
  const networks = openNetworks(NETWORK_DRIVERS, {
    instance,
    iptables: true,
    ipForward: true,
    originals: inMemory(),
    ...options,
  });
  const end = relayHere(networks);
  const close = networks.close.bind(networks);
  return Object.assign(networks, {
    close: () => {
      end();
      close();
    },
  });
}

/** Network number `n`: 10.231.n.0/24 on bridge `tsdt<n>`. @param changes `subnet` and `gateway` are of IPv4 */
export function network(n: number, changes: Partial<BridgeNetwork & BridgeRange> = {}): NetworkConfig {
  const { key = `network/test/n${n}`, bridge = `tsdt${n}`, mtu = 1500, internal = false, ...others } = changes;
  const { subnet = `10.231.${n}.0/24`, gateway = `10.231.${n}.1`, ...rest } = others;
  const { ipv4 = { subnet, gateway }, ipv6 = null, ...options } = rest;
  return {
    key,
    driver: 'bridge',
    interfaceName: bridge,
    ipv4,
    ipv6,
    mtu,
    internal,
    options,
  };
}

export const idOf = (name: string): string => Buffer.from(name).toString('hex').padEnd(64, '0');

/** Endpoint of container `name` at 10.231.<net>.<host>. */
export function endpoint(
  name: string,
  net: number,
  host: number,
  changes: Partial<EndpointConfig> = {},
): EndpointConfig {
  const address = `10.231.${net}.${host}`;
  return {
    containerId: idOf(name),
    network: `network/test/n${net}`,
    interfaceName: 'eth0',
    ipv4: `${address}/24`,
    ipv6: null,
    mac: macOfAddress(address),
    defaultRoute: { ipv4: true, ipv6: false },
    ports: [],
    reach: [],
    ...changes,
  };
}

/** As {@link network}, with fd00:231:0:n::/64 beside it, or alone. */
export function network6(n: number, changes: Partial<BridgeNetwork> = {}): NetworkConfig {
  return network(n, { ipv6: { subnet: `fd00:231:0:${n}::/64`, gateway: `fd00:231:0:${n}::1` }, ...changes });
}

/** As {@link endpoint}, with the address fd00:231:0:net::host beside it. */
export function endpoint6(
  name: string,
  net: number,
  host: number,
  changes: Partial<EndpointConfig> = {},
): EndpointConfig {
  const both = { ipv6: `fd00:231:0:${net}::${host.toString(16)}/64`, defaultRoute: { ipv4: true, ipv6: true } };
  return endpoint(name, net, host, { ...both, ...changes });
}

/** Sandbox and endpoint in one; returns the sandbox's descriptor. */
export function start(driver: Networks, config: EndpointConfig): number {
  const { netnsFd } = driver.createSandbox(config.containerId);
  driver.attach(config);
  return netnsFd;
}

/** Ends the servers, takes containers and networks away, and closes the driver. @param networks their numbers */
export function takeDown(driver: Networks, containers: readonly string[], networks: readonly number[]): void {
  stopServers();
  for (const name of containers) driver.detach(idOf(name));
  for (const n of networks) driver.removeNetwork(network(n).key);
  driver.close();
}

const inPlace = <T>(netnsFd: number | null, what: () => T): T => (netnsFd === null ? what() : inNetns(netnsFd, what));

const opened: (Server | UdpSocket)[] = [];

/** A TCP server that tells each client its address as it sees it, or `answer`. `netnsFd` null: on the host. */
export function serve(netnsFd: number | null, port: number, address = '0.0.0.0', answer?: Buffer): void {
  const fd = inPlace(netnsFd, () => bindSocket({ address, port, protocol: 'tcp' }));
  if (fd < 0) throw new Error(`cannot serve on ${port}: errno ${-fd}`);
  const server = createServer((client) => {
    client.on('error', () => undefined);
    client.end(answer ?? `${client.remoteAddress}`);
  });
  server.listen({ fd });
  opened.push(server);
}

/** Hands on what arrives at a UDP port. */
export function listenUdp(netnsFd: number, port: number, hear: (text: string) => void): void {
  const fd = inNetns(netnsFd, () => bindSocket({ address: '0.0.0.0', port, protocol: 'udp' }));
  const server = createSocket('udp4');
  server.on('message', (datagram) => hear(datagram.toString()));
  server.bind({ fd });
  opened.push(server);
}

/** A UDP server that tells each client its address, or `answer`. */
export function serveUdp(netnsFd: number, port: number, answer?: string, address = '0.0.0.0'): void {
  const fd = inNetns(netnsFd, () => bindSocket({ address, port, protocol: 'udp' }));
  const server = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  server.on('message', (_, client) => server.send(answer ?? client.address, client.port, client.address));
  server.bind({ fd });
  opened.push(server);
}

export function stopServers(): void {
  for (const server of opened.splice(0)) server.close();
}

/** Connects from a namespace. Returns the connected descriptor, or the negative errno. */
export function dial(netnsFd: number | null, address: string, port: number, withinMs = OPEN_WITHIN_MS): number {
  const bytes = addressBytes(address);
  const family = familyNumber(bytes);
  const fd = inPlace(netnsFd, () => syscall('socket', 'socket', family, 1, 0));
  const timeout = Buffer.alloc(64);
  timeout.writeBigInt64LE(BigInt(Math.floor(withinMs / 1000)), 0);
  timeout.writeBigInt64LE(BigInt(withinMs % 1000) * 1000n, 8);
  syscall('SO_SNDTIMEO', 'setsockopt', fd, 1, 21, timeout, 16);
  const target = Buffer.alloc(64);
  target.writeUInt16LE(family, 0);
  target.writeUInt16BE(port, 2);
  bytes.copy(target, bytes.length === 4 ? 4 : 8);
  const result = trySyscall('connect', fd, target, bytes.length === 4 ? 16 : 28);
  if (result === 0) return fd;
  closeSync(fd);
  return result;
}

/** True for a TCP connection from a namespace (null: the host) that is accepted. @throws Error with the errno otherwise. */
export function reaches(netnsFd: number | null, address: string, port: number): true {
  let fd = dial(netnsFd, address, port);
  // connect(2) with a time limit is not continued after a signal.
  while (fd === -constants.errno.EINTR) fd = dial(netnsFd, address, port);
  if (fd < 0) throw new Error(`${address}:${port} does not answer: errno ${-fd}`);
  closeSync(fd);
  return true;
}

/** Whether a TCP connection from a namespace (null: the host) gets no answer or is refused. */
export function blocked(netnsFd: number | null, address: string, port: number): boolean {
  const fd = dial(netnsFd, address, port, BLOCKED_AFTER_MS);
  if (fd >= 0) closeSync(fd);
  return fd < 0;
}

export function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (part) => {
      text += part;
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}

/** The address under which a server sees us when we connect from a namespace. */
export async function sourceSeen(netnsFd: number | null, address: string, port: number): Promise<string> {
  if (netnsFd === null) return readAll(connect({ host: address, port }));
  const fd = dial(netnsFd, address, port);
  if (fd < 0) throw new Error(`cannot connect to ${address}:${port}: errno ${-fd}`);
  return readAll(new Socket({ fd }));
}

/** A UDP client in a namespace (null: the host), always of the same port, that asks again until it is answered. */
export function udpClient(
  netnsFd: number | null,
  address: string,
  port: number,
): { answer(expected?: string): Promise<string>; close(): void } {
  const family = address.includes(':') ? 'udp6' : 'udp4';
  const any = family === 'udp6' ? '::' : '0.0.0.0';
  const fd = inPlace(netnsFd, () => bindSocket({ address: any, port: 0, protocol: 'udp' }));
  const client = createSocket(family);
  client.bind({ fd });
  const ask = (): void => client.send('?', port, address);
  const retry = setInterval(ask, 50);
  ask();
  return {
    answer: async (expected) => {
      for await (const [message] of on(client, 'message') as AsyncIterable<[Buffer]>) {
        const text = message.toString();
        if (expected === undefined || text === expected) return text;
      }
      throw new Error('the client was closed');
    },
    close: () => {
      clearInterval(retry);
      client.close();
    },
  };
}

/** As {@link sourceSeen}, by UDP; asks again until an answer comes. */
export async function sourceSeenUdp(netnsFd: number | null, address: string, port: number): Promise<string> {
  const client = udpClient(netnsFd, address, port);
  try {
    return await client.answer();
  } finally {
    client.close();
  }
}

/** Interfaces of the private host that the test did not make itself. */
export function strayLinks(): string[] {
  return shell('ip -o link')
    .split('\n')
    .flatMap((line) => {
      const name = /^\d+: ([^:@]+)/.exec(line)?.[1];
      return name === undefined || name === 'lo' || name === 'uplink' ? [] : [name];
    });
}

/** So many network namespaces for each test of the file, held as the driver does: `container N` has the Nth. */
export class Namespaces {
  readonly fds: number[] = [];

  constructor(count: number) {
    beforeEach(() => {
      for (let index = 0; index < count; index++) this.fds.push(createNetns(() => {}));
    });
    afterEach(() => {
      for (const netns of this.fds.splice(0)) closeSync(netns);
    });
  }

  get held(): ReadonlyMap<string, Sandbox> {
    const sandboxes = this.fds.map((netnsFd, index) => ({ containerId: `container ${index}`, netnsFd }));
    return new Map(sandboxes.map((sandbox) => [sandbox.containerId, sandbox]));
  }

  /** @param commands of ip(8), a line each */
  change(index: number, commands: string): void {
    inNetns(this.at(index), () => shell(`ip -batch - <<'END'\n${commands}\nEND`));
  }

  at(index: number): number {
    return this.fds[index] as number;
  }

  /** Puts another one in the place of one that is gone. */
  replace(index: number): void {
    closeSync(this.at(index));
    this.fds[index] = createNetns(() => {});
  }
}
