import type { PublishedPort } from '../../contract/network.ts';
import type { Element, Owner } from './firewall/ruleset.ts';
import { containerOf, type EndpointId } from './names.ts';
import { collide, portOfElement } from './publication.ts';

interface Holder {
  readonly endpoint: EndpointId;
  readonly port: PublishedPort;
}

/** Host ports of our containers, to find two that want the same. */
export class PublishedPorts {
  /** By protocol and host port. */
  readonly #holders = new Map<string, Holder[]>();
  readonly #ports = new Map<EndpointId, readonly PublishedPort[]>();

  /** What the packet filter already publishes: containers that kept running while no supervisor ran. */
  load(owned: ReadonlyMap<Owner, readonly Element[]>): void {
    for (const [owner, elements] of owned) {
      if (!owner.startsWith('endpoint:')) continue;
      this.set(
        owner.slice('endpoint:'.length),
        elements.flatMap((element) => portOfElement(element) ?? []),
      );
    }
  }

  set(endpoint: EndpointId, ports: readonly PublishedPort[]): void {
    for (const port of this.#ports.get(endpoint) ?? []) {
      const rest = this.#at(port).filter((holder) => holder.endpoint !== endpoint);
      if (rest.length === 0) this.#holders.delete(slot(port));
      else this.#holders.set(slot(port), rest);
    }
    if (ports.length === 0) this.#ports.delete(endpoint);
    else this.#ports.set(endpoint, ports);
    for (const port of ports) this.#holders.set(slot(port), [...this.#at(port), { endpoint, port }]);
  }

  /** The container, other than `own` ones, whose port collides with this one. */
  holder(port: PublishedPort, own: readonly (string | null)[]): string | null {
    const other = this.#at(port).find(
      ({ endpoint, port: held }) => !own.includes(containerOf(endpoint)) && collide(held, port),
    );
    return other ? containerOf(other.endpoint) : null;
  }

  #at(port: PublishedPort): Holder[] {
    return this.#holders.get(slot(port)) ?? [];
  }
}

function slot({ protocol, hostPort }: PublishedPort): string {
  return `${protocol}/${hostPort}`;
}
