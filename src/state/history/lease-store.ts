import type { Statement } from 'better-sqlite3';
import { type Family, familyOf } from '../../model/addresses.ts';
import type { Protocol } from '../../model/kinds/short-forms.ts';
import type { HistoryDatabase } from './history-database.ts';

export interface AddressLease {
  /** Key of the network. */
  readonly network: string;
  /** Key of the container: a recreated one keeps its address. */
  readonly container: string;
  /** Without prefix length; at most one of each family. */
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

/** All leases of some containers and networks from now on: earlier ones that are not listed are released. */
export interface LeaseChange {
  readonly containers: Iterable<string>;
  readonly addresses: readonly AddressLease[];
  readonly ports: readonly PortLease[];
  /** The addresses leased last, of each network and family. */
  readonly last: readonly Pick<AddressLease, 'network' | 'address'>[];
  /** Networks that are gone. */
  readonly goneNetworks: Iterable<string>;
}

const withFamily = <T extends { readonly address: string }>(lease: T) => ({
  ...lease,
  family: familyOf(lease.address) === 'ipv4' ? 4 : 6,
});

/** Addresses and automatic host ports that containers hold until they are removed. All changes are durable. */
export class LeaseStore {
  readonly #history: HistoryDatabase;
  readonly #addresses: Statement<[], AddressLease>;
  readonly #ports: Statement<[], PortLease>;
  readonly #last: Statement<[string, number], string>;

  constructor(history: HistoryDatabase) {
    this.#history = history;
    this.#addresses = history.prepare('SELECT network, container, address FROM address_leases');
    this.#ports = history.prepare(`SELECT container, container_port AS containerPort, protocol, host_ip AS hostIp,
      host_port AS hostPort FROM port_leases`);
    this.#last = history
      .prepare<[string, number], string>('SELECT last FROM address_cursors WHERE network = ? AND family = ?')
      .pluck();
  }

  addresses(): readonly AddressLease[] {
    return this.#addresses.all();
  }

  ports(): readonly PortLease[] {
    return this.#ports.all();
  }

  /** The address of a family leased last in a network, released or not; allocation continues after it. */
  lastAddress(network: string, family: Family): string | null {
    return this.#last.get(network, family === 'ipv4' ? 4 : 6) ?? null;
  }

  /** Takes an address or port from its current holder: the caller has decided who holds it. */
  write({ containers, addresses, ports, last, goneNetworks }: LeaseChange): void {
    this.#history.durable(() => {
      this.#forEach('DELETE FROM address_leases WHERE network = ?', [...goneNetworks]);
      this.#forEach('DELETE FROM address_cursors WHERE network = ?', [...goneNetworks]);
      this.#forEach('DELETE FROM address_leases WHERE container = ?', [...containers]);
      this.#forEach('DELETE FROM port_leases WHERE container = ?', [...containers]);
      this.#forEach(
        `INSERT OR REPLACE INTO address_leases (network, container, family, address)
          VALUES (:network, :container, :family, :address)`,
        addresses.map(withFamily),
      );
      this.#forEach(
        `INSERT OR REPLACE INTO port_leases (container, container_port, protocol, host_ip, host_port)
          VALUES (:container, :containerPort, :protocol, :hostIp, :hostPort)`,
        ports,
      );
      this.#forEach(
        'INSERT OR REPLACE INTO address_cursors (network, family, last) VALUES (:network, :family, :address)',
        last.map(withFamily),
      );
    });
  }

  #forEach(sql: string, rows: readonly unknown[]): void {
    if (rows.length === 0) return;
    const statement = this.#history.prepare<[unknown], unknown>(sql);
    for (const row of rows) statement.run(row);
  }
}
