/**
 * Places on the default bridge for what is no container: addresses that no container gets, and host ports that lead there.
 * They are kept in memory, as by Docker 1.4: the next supervisor does not know them.
 */
import { constants } from 'node:os';
import type { NetworkConfig, Networks } from '../../drivers/contract/network.ts';
import type { BoundRelay } from '../../drivers/contract/relay.ts';
import { sysError } from '../../ffi/call/errno.ts';
import { isHostAddress, macOfAddress, prefixLengthOf } from '../../model/addresses.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { LeaseBook } from '../../reconcile/ops/networks/lease-book.ts';
import { ipv4RangeOf } from '../../reconcile/ops/networks/network-config.ts';

export interface Interface {
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string;
  readonly mac: string;
  readonly bridge: string;
}

export interface PortRequest {
  readonly protocol: 'tcp' | 'udp';
  readonly hostIp: string;
  /** Null for any. */
  readonly hostPort: number | null;
  readonly containerPort: number;
}

interface Lent extends Interface {
  readonly network: string;
  readonly relays: BoundRelay[];
}

export interface LentInterfacesParts {
  readonly leases: Pick<LeaseBook, 'lend' | 'takeBack'>;
  readonly driver: Pick<Networks, 'checkPort' | 'relays'>;
  readonly fixedCidr: string | null;
}

/** Ports that are tried where any will do (docker 1.4, portmapper). */
const ATTEMPTS = 10;
const FIRST_PORT = 49_153;
const LAST_PORT = 65_535;

export class LentInterfaces {
  readonly #parts: LentInterfacesParts;
  readonly #lent = new Map<string, Lent>();
  #lastPort = LAST_PORT;

  constructor(parts: LentInterfacesParts) {
    this.#parts = parts;
  }

  /** The same id has the same place. @throws TSD_ADDRESS_POOL_FULL, TSD_BAD_REQUEST */
  allocate(id: string, network: NetworkConfig, requested: string | null, mac: string | null): Interface {
    const { leases, fixedCidr } = this.#parts;
    const known = this.#lent.get(id);
    if (known !== undefined) {
      if (requested === null || requested === known.address) return known;
      throw new TsdError('TSD_BAD_REQUEST', `${id} has ${known.address}; release it before it gets another address`);
    }
    const { subnet, gateway } = ipv4RangeOf(network);
    if (requested !== null && !isHostAddress(requested, subnet)) {
      throw new TsdError('TSD_BAD_REQUEST', `requested ip is out of range: ${requested} is not in ${subnet}`);
    }
    const { key, interfaceName: bridge } = network;
    const address = leases.lend({ network: key, subnet, gateway, fixedCidr, requested });
    if (address === null) {
      const message =
        requested === null ? 'no available ip addresses on network' : `ip already allocated: ${requested}`;
      throw new TsdError('TSD_ADDRESS_POOL_FULL', message, { hint: 'Choose another, or release one.' });
    }
    const lent: Lent = {
      address,
      prefixLength: prefixLengthOf(subnet),
      gateway,
      mac: mac ?? macOfAddress(address),
      bridge,
      network: key,
      relays: [],
    };
    this.#lent.set(id, lent);
    return lent;
  }

  /** Whether something has this address. */
  hasAddress(address: string): boolean {
    return [...this.#lent.values()].some((lent) => lent.address === address);
  }

  has(id: string): boolean {
    return this.#lent.has(id);
  }

  /** @returns the host port. @throws TSD_PORT_IN_USE */
  publish(id: string, request: PortRequest): number {
    const lent = this.#lent.get(id);
    if (lent === undefined) throw new TsdError('TSD_BAD_REQUEST', `${id} has no interface`);
    const { hostIp, hostPort } = request;
    if (hostPort !== null) {
      this.#open(lent, request, hostPort);
      return hostPort;
    }
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      this.#lastPort = this.#lastPort >= LAST_PORT ? FIRST_PORT : this.#lastPort + 1;
      try {
        this.#open(lent, request, this.#lastPort);
        return this.#lastPort;
      } catch (error) {
        if (!(error instanceof TsdError) || error.code !== 'TSD_PORT_IN_USE') throw error;
      }
    }
    throw new TsdError('TSD_PORT_IN_USE', `all ports are allocated on ${hostIp}`);
  }

  /** Whether there was one. */
  release(id: string): boolean {
    const lent = this.#lent.get(id);
    if (lent === undefined) return false;
    this.#lent.delete(id);
    for (const relay of lent.relays) this.#parts.driver.relays.close(relay);
    this.#parts.leases.takeBack(lent.network, lent.address);
    return true;
  }

  close(): void {
    for (const id of [...this.#lent.keys()]) this.release(id);
  }

  #open(lent: Lent, { protocol, hostIp, containerPort }: PortRequest, hostPort: number): void {
    const target = { address: lent.address, port: containerPort };
    const relay: BoundRelay = { protocol, address: hostIp, port: hostPort, target };
    this.#refuseLent(relay);
    this.#check({ protocol, hostIp, hostPort, containerPort });
    const forget = (): void => void lent.relays.splice(lent.relays.indexOf(relay), 1);
    const errno = this.#parts.driver.relays.open(relay, forget);
    if (errno !== 0) throw refused(hostIp, hostPort, errno);
    lent.relays.push(relay);
  }

  /** The process that has such a port is ours: what helps is to release the other. */
  #refuseLent({ protocol, address, port }: BoundRelay): void {
    for (const [id, { relays }] of this.#lent) {
      const isTaken = relays.some(
        (relay) => relay.protocol === protocol && relay.port === port && overlap(relay.address, address),
      );
      if (!isTaken) continue;
      throw new TsdError('TSD_PORT_IN_USE', `${inUse(address, port).message}: ${id} has it`, {
        hint: `Choose another port, or release it: \`tsdocker job release_interface ${id}\`.`,
      });
    }
  }

  /** Rules of a container's port take what comes before a socket sees it. */
  #check(port: { protocol: 'tcp' | 'udp'; hostIp: string; hostPort: number; containerPort: number }): void {
    try {
      this.#parts.driver.checkPort(port, null);
    } catch (error) {
      if (error instanceof TsdError && error.code === 'TSD_PORT_IN_USE') {
        throw new TsdError('TSD_PORT_IN_USE', `${inUse(port.hostIp, port.hostPort).message}: ${error.message}`);
      }
      throw error;
    }
  }
}

const inUse = (hostIp: string, hostPort: number): TsdError =>
  new TsdError('TSD_PORT_IN_USE', `Bind for ${hostIp}:${hostPort} failed: port is already allocated`);

function refused(hostIp: string, hostPort: number, errno: number): TsdError {
  if (errno === constants.errno.EADDRINUSE) return inUse(hostIp, hostPort);
  const message = `Bind for ${hostIp}:${hostPort} failed`;
  return new TsdError('TSD_PORT_IN_USE', message, { cause: sysError('bind', errno, message) });
}

const EVERY = '0.0.0.0';
const overlap = (one: string, other: string): boolean => one === other || one === EVERY || other === EVERY;
