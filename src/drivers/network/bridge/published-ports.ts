import type { PublishedPort } from '../../contract/network.ts';
import type { Element, Owner } from './firewall/ruleset.ts';
import { collide, portOfElement } from './publication.ts';

/** Host ports of our containers, to find two that want the same. */
export class PublishedPorts {
  /** By protocol and host port. */
  readonly #holders = new Map<string, { readonly containerId: string; readonly port: PublishedPort }[]>();
  readonly #ports = new Map<string, readonly PublishedPort[]>();

  /** What the packet filter already publishes: containers that kept running while no supervisor ran. */
  load(owned: ReadonlyMap<Owner, readonly Element[]>): void {
    for (const [owner, elements] of owned) {
      const [kind, id] = owner.split(':') as [string, string];
      if (kind !== 'endpoint') continue;
      this.set(
        id,
        elements.flatMap((element) => portOfElement(element) ?? []),
      );
    }
  }

  set(containerId: string, ports: readonly PublishedPort[]): void {
    for (const port of this.#ports.get(containerId) ?? []) {
      const rest = this.#at(port).filter((holder) => holder.containerId !== containerId);
      if (rest.length === 0) this.#holders.delete(slot(port));
      else this.#holders.set(slot(port), rest);
    }
    if (ports.length === 0) this.#ports.delete(containerId);
    else this.#ports.set(containerId, ports);
    for (const port of ports) this.#holders.set(slot(port), [...this.#at(port), { containerId, port }]);
  }

  /** The container, other than `own` ones, whose port collides with this one. */
  holder(port: PublishedPort, own: readonly (string | null)[]): string | null {
    const other = this.#at(port).find(
      ({ containerId, port: held }) => !own.includes(containerId) && collide(held, port),
    );
    return other?.containerId ?? null;
  }

  #at(port: PublishedPort): { readonly containerId: string; readonly port: PublishedPort }[] {
    return this.#holders.get(slot(port)) ?? [];
  }
}

function slot({ protocol, hostPort }: PublishedPort): string {
  return `${protocol}/${hostPort}`;
}
