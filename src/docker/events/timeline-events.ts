/** Passes what happens on as events. Of a container that is gone it knows what was known before. */
import type { TimelineDraft } from '../../model/status/timeline.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore, RecordWatcher } from '../../state/containers/containers.ts';
import { type EventSubject, subjectOf } from './container-events.ts';
import type { DockerEventBus } from './event-bus.ts';
import { eventsOf, isOfContainer, type NotedContainer } from './of-timeline.ts';

export class TimelineEvents implements RecordWatcher {
  readonly #bus: Pick<DockerEventBus, 'emit'>;
  readonly #containers: Pick<ContainerStore, 'get' | 'byKey'>;
  readonly #subjects = new Map<string, EventSubject>();
  /** Ids of those that were asked to restart, and have not started since. */
  readonly #restarting = new Set<string>();
  /** Ids of those that were sent a signal, and have neither been asked to stop nor started since. */
  readonly #killed = new Set<string>();

  constructor(bus: Pick<DockerEventBus, 'emit'>, containers: Pick<ContainerStore, 'all' | 'get' | 'byKey' | 'watch'>) {
    this.#bus = bus;
    this.#containers = containers;
    for (const record of containers.all()) this.#subjects.set(record.id, subjectOf(record));
    containers.watch(this);
  }

  /** What is known of one that goes is kept until that has been said. */
  recordChanged(id: string): void {
    const record = this.#containers.get(id);
    if (record !== undefined) this.#subjects.set(id, subjectOf(record));
  }

  textWritten(): void {}

  noted(entry: TimelineDraft): void {
    const noted = isOfContainer(entry) ? this.#containerOf(entry) : null;
    if (noted === null && isOfContainer(entry)) return;
    for (const event of eventsOf(entry, noted)) this.#bus.emit(event);
    const id = noted?.subject.id;
    if (id === undefined) return;
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
