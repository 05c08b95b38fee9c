/** Which networks and volumes runs of containers have, as events say when that begins and ends. */
import type { EventDraft } from './message.ts';

export interface EventNetwork {
  readonly id: string;
  readonly name: string;
  /** Its driver in Docker's words. */
  readonly type: string;
}

export interface EventMount {
  readonly volume: string;
  readonly destination: string;
  readonly writable: boolean;
}

/** What a run has. */
export interface Attached {
  readonly networks: readonly EventNetwork[];
  readonly mounts: readonly EventMount[];
}

export function networkEvent(network: EventNetwork, action: string, container?: string): EventDraft {
  const { id, name, type } = network;
  return { type: 'network', action, id, attributes: { ...(container !== undefined && { container }), name, type } };
}

function mounted({ volume, destination, writable }: EventMount, container: string): EventDraft {
  const attributes = { container, destination, driver: 'local', propagation: '', 'read/write': `${writable}` };
  return { type: 'volume', action: 'mount', id: volume, attributes };
}

const unmounted = ({ volume }: EventMount, container: string): EventDraft => ({
  type: 'volume',
  action: 'unmount',
  id: volume,
  attributes: { container, driver: 'local' },
});

const missingIn = (all: readonly EventNetwork[], others: readonly EventNetwork[]): readonly EventNetwork[] =>
  all.filter(({ id }) => others.every((other) => other.id !== id));

export class Attachments {
  /** By container, of runs alone. */
  readonly #runs = new Map<string, Attached>();

  has(container: string): boolean {
    return this.#runs.has(container);
  }

  /** Before a run is said to have started. */
  started(container: string, attached: Attached): readonly EventDraft[] {
    this.#runs.set(container, attached);
    return [
      ...attached.networks.map((network) => networkEvent(network, 'connect', container)),
      ...attached.mounts.map((mount) => mounted(mount, container)),
    ];
  }

  /** A run is on other networks than before. */
  changed(container: string, networks: readonly EventNetwork[]): readonly EventDraft[] {
    const before = this.#runs.get(container);
    if (before === undefined) return [];
    this.#runs.set(container, { ...before, networks });
    return [
      ...missingIn(before.networks, networks).map((network) => networkEvent(network, 'disconnect', container)),
      ...missingIn(networks, before.networks).map((network) => networkEvent(network, 'connect', container)),
    ];
  }

  /**
   * Before a run is said to have ended.
   * @param attached what it has by its record: it may have begun before an earlier supervisor ended
   */
  ended(container: string, attached: Attached): readonly EventDraft[] {
    const { networks, mounts } = this.#runs.get(container) ?? attached;
    this.#runs.delete(container);
    const volumes = new Map(mounts.map((mount) => [mount.volume, mount]));
    return [
      ...networks.map((network) => networkEvent(network, 'disconnect', container)),
      ...[...volumes.values()].map((mount) => unmounted(mount, container)),
    ];
  }
}
