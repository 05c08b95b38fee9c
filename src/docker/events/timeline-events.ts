/** Passes what happens on as events. Of a container that is gone it knows what was known before. */

import type { ResourceKey } from '../../model/resource.ts';
import type { TimelineDraft } from '../../model/status/timeline.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore, RecordWatcher } from '../../state/containers/containers.ts';
import { endpointsOf } from '../../state/containers/endpoints.ts';
import { type AttachedPorts, attachedOf, eventNetworks, networksOn } from './attached.ts';
import { Attachments, type EventNetwork, networkEvent } from './attachments.ts';
import { type EventSubject, subjectOf } from './container-events.ts';
import type { DockerEventBus } from './event-bus.ts';
import type { EventDraft } from './message.ts';
import { eventsOf, isOfContainer, type NotedContainer } from './of-timeline.ts';

export interface TimelineEventPorts extends AttachedPorts {
  readonly bus: Pick<DockerEventBus, 'emit'>;
  readonly containers: Pick<ContainerStore, 'all' | 'get' | 'byKey' | 'watch'>;
}

export class TimelineEvents implements RecordWatcher {
  readonly #ports: TimelineEventPorts;
  readonly #bus: Pick<DockerEventBus, 'emit'>;
  readonly #containers: Pick<ContainerStore, 'get' | 'byKey'>;
  readonly #attachments = new Attachments();
  /** By key, those that are gone until that has been said. */
  readonly #networks: Map<ResourceKey, EventNetwork>;
  readonly #subjects = new Map<string, EventSubject>();
  /** Ids of those that were asked to restart, and have not started since. */
  readonly #restarting = new Set<string>();
  /** Ids of those that were sent a signal, and have neither been asked to stop nor started since. */
  readonly #killed = new Set<string>();

  constructor(ports: TimelineEventPorts) {
    const { bus, containers } = ports;
    this.#ports = ports;
    this.#bus = bus;
    this.#containers = containers;
    this.#networks = new Map(eventNetworks(ports));
    for (const record of containers.all()) {
      this.#subjects.set(record.id, subjectOf(record));
      // It ran when the supervisor before this one ended: that it began has been said.
      if (endpointsOf(record).length > 0) this.#attachments.started(record.id, attachedOf(record, ports));
    }
    containers.watch(this);
  }

  /** What is known of one that goes is kept until that has been said. */
  recordChanged(id: string): void {
    const record = this.#containers.get(id);
    if (record === undefined) return;
    this.#subjects.set(id, subjectOf(record));
    if (this.#attachments.has(id)) this.#emit(this.#attachments.changed(id, networksOn(record, this.#ports)));
  }

  textWritten(): void {}

  noted(entry: TimelineDraft): void {
    if (!isOfContainer(entry)) {
      this.#emit(this.#ofNetwork(entry) ?? eventsOf(entry, null));
      return;
    }
    const noted = this.#containerOf(entry);
    if (noted === null) return;
    this.#emit(this.#beside(entry, noted));
    this.#emit(eventsOf(entry, noted));
    const { id } = noted.subject;
    if (entry.what === 'restart' && entry.kind === 'override') this.#restarting.add(id);
    if (entry.what === 'kill') this.#killed.add(id);
    else if (entry.kind === 'override' || entry.what === 'container.start') this.#killed.delete(id);
    if (entry.what === 'container.start') this.#restarting.delete(id);
    if (entry.what === 'container.remove' && entry.ok) {
      this.#subjects.delete(id);
      this.#restarting.delete(id);
      this.#killed.delete(id);
    }
  }

  #emit(events: readonly EventDraft[]): void {
    for (const event of events) this.#bus.emit(event);
  }

  /** The events of a run's networks and volumes come before that of its start, and before that of its end. */
  #beside({ what, ok }: TimelineDraft, { subject: { id }, record }: NotedContainer): readonly EventDraft[] {
    if (record === undefined) return [];
    if (what === 'container.start' && ok) return this.#attachments.started(id, attachedOf(record, this.#ports));
    const hasEnded = what === 'exited' || what === 'oom-killed';
    return hasEnded ? this.#attachments.ended(id, attachedOf(record, this.#ports)) : [];
  }

  /** Null for an entry of something else. */
  #ofNetwork({ what, key, ok }: TimelineDraft): readonly EventDraft[] | null {
    if (key === null || !ok) return null;
    if (what === 'network.ensure') {
      // It is set up again after a boot, and where something of it was missing.
      if (this.#networks.has(key)) return [];
      const network = eventNetworks(this.#ports).get(key);
      if (network === undefined) return [];
      this.#networks.set(key, network);
      return [networkEvent(network, 'create')];
    }
    if (what !== 'network.remove') return null;
    const gone = this.#networks.get(key);
    this.#networks.delete(key);
    return gone === undefined ? [] : [networkEvent(gone, 'destroy')];
  }

  #containerOf({ key, container }: TimelineDraft): NotedContainer | null {
    const record: ContainerRecord | undefined =
      container !== undefined
        ? this.#containers.get(container.id)
        : key === null
          ? undefined
          : this.#containers.byKey(key);
    const id = container?.id ?? record?.id;
    if (id === undefined) return null;
    const subject = this.#subjects.get(id) ?? { id, attributes: { image: container?.image ?? '', name: id } };
    return { subject, record, isRestart: this.#restarting.has(id), isKilled: this.#killed.has(id) };
  }
}
