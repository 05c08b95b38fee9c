import Database, { type Statement } from 'better-sqlite3';
import { TsdError } from '../../model/errors.ts';
import type { Protocol } from '../../model/kinds/short-forms.ts';
import type { HistoryDatabase } from './history-database.ts';

export interface AddressLease {
  /** Key of the network. */
  readonly network: string;
  /** Key of the container: a recreated one keeps its address. */
  readonly container: string;
  /** IPv4 without prefix length. */
  readonly address: string;
}

/** A host port that was picked for a container port, because none was declared. */
export interface PortLease {
  readonly container: string;
  readonly containerPort: number;
  readonly protocol: Protocol;
  readonly hostIp: string;
  readonly hostPort: number;
}

/** Addresses and automatic host ports that containers hold until they are removed. All changes are durable. */
export class LeaseStore {
  readonly #history: HistoryDatabase;
  readonly #addresses: Statement<[], AddressLease>;
  readonly #ports: Statement<[], PortLease>;
  readonly #address: Statement<[string, string], string>;
  readonly #last: Statement<[string], string>;

  constructor(history: HistoryDatabase) {
    this.#history = history;
    this.#addresses = history.prepare('SELECT network, container, address FROM address_leases');
    this.#ports = history.prepare(`SELECT container, container_port AS containerPort, protocol, host_ip AS hostIp,
      host_port AS hostPort FROM port_leases`);
    this.#address = history
      .prepare<[string, string], string>('SELECT address FROM address_leases WHERE network = ? AND container = ?')
      .pluck();
    this.#last = history.prepare<[string], string>('SELECT last FROM address_cursors WHERE network = ?').pluck();
  }

  addresses(): readonly AddressLease[] {
    return this.#addresses.all();
  }

  ports(): readonly PortLease[] {
    return this.#ports.all();
  }

  address(network: string, container: string): string | null {
    return this.#address.get(network, container) ?? null;
  }

  /** The address leased last in a network, released or not; allocation goes on after it. */
  lastAddress(network: string): string | null {
    return this.#last.get(network) ?? null;
  }

  /** Holds an address, in place of the one the container had in this network. @throws TsdError when another holds it. */
  leaseAddress({ network, container, address }: AddressLease): void {
    this.#change(`lease ${address}`, () => {
      this.#history.prepare('DELETE FROM address_leases WHERE network = ? AND container = ?').run(network, container);
      this.#history
        .prepare('INSERT INTO address_leases (network, container, address) VALUES (?, ?, ?)')
        .run(network, container, address);
      this.#history
        .prepare('INSERT OR REPLACE INTO address_cursors (network, last) VALUES (?, ?)')
        .run(network, address);
    });
  }

  /** Lets these containers have just these addresses of a network, whoever of them had them before. */
  reassign(network: string, holders: readonly (readonly [container: string, address: string])[]): void {
    this.#change('move addresses', () => {
      const drop = this.#history.prepare(
        'DELETE FROM address_leases WHERE network = ? AND (container = ? OR address = ?)',
      );
      for (const [container, address] of holders) drop.run(network, container, address);
      const hold = this.#history.prepare('INSERT INTO address_leases (network, container, address) VALUES (?, ?, ?)');
      for (const [container, address] of holders) hold.run(network, container, address);
    });
  }

  /** Holds a host port. The same lease again is a no-op. @throws TsdError when another holds it. */
  leasePort({ container, containerPort, protocol, hostIp, hostPort }: PortLease): void {
    this.#change(`lease port ${hostPort}`, () => {
      this.#history
        .prepare('DELETE FROM port_leases WHERE container = ? AND container_port = ? AND protocol = ? AND host_ip = ?')
        .run(container, containerPort, protocol, hostIp);
      this.#history
        .prepare(
          'INSERT INTO port_leases (container, container_port, protocol, host_ip, host_port) VALUES (?, ?, ?, ?, ?)',
        )
        .run(container, containerPort, protocol, hostIp, hostPort);
    });
  }

  /** Gives up everything that a container holds. */
  releaseContainer(container: string): void {
    this.#change('release leases', () => {
      this.#history.prepare('DELETE FROM address_leases WHERE container = ?').run(container);
      this.#history.prepare('DELETE FROM port_leases WHERE container = ?').run(container);
    });
  }

  /** Forgets a network that is gone. */
  releaseNetwork(network: string): void {
    this.#change('release leases', () => {
      this.#history.prepare('DELETE FROM address_leases WHERE network = ?').run(network);
      this.#history.prepare('DELETE FROM address_cursors WHERE network = ?').run(network);
    });
  }

  #change(step: string, changes: () => void): void {
    try {
      this.#history.durable(changes);
    } catch (error) {
      if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_CONSTRAINT')) {
        throw new TsdError('TSD_NETWORK', `${step}: another container holds it`, {
          class: 'conflict',
          step,
          cause: error,
        });
      }
      throw error;
    }
  }
}
