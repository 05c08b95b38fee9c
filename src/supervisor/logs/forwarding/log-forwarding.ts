/** Keeps a forwarder for every container whose manifest names a receiver for its log. */
import { join } from 'node:path';
import type { DesiredState } from '../../../model/desired.ts';
import type { ContainerSpec } from '../../../model/kinds/container.ts';
import type { LogSettings } from '../../../model/kinds/log-forms.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import type { ContainerRecord } from '../../../state/containers/container-record.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import type { SupervisorEventBus } from '../../events.ts';
import type { Logger } from '../../log.ts';
import { LogForwarder } from './forwarder.ts';
import type { LogTroubles } from './log-troubles.ts';
import { sinkFor } from './sinks.ts';

export interface LogForwardingOptions {
  desired(): DesiredState;
  readonly containers: Pick<ContainerStore, 'all' | 'logPath'>;
  readonly events: SupervisorEventBus;
  readonly log: Logger;
  readonly troubles: LogTroubles;
}

interface Active {
  readonly settings: string;
  readonly forwarder: LogForwarder;
}

/** Least time between two looks at all containers. */
const INTERVAL_MS = 100;

export class LogForwarding {
  readonly #options: LogForwardingOptions;
  readonly #active = new Map<string, Active>();
  /** Of forwarders that are to go; the cursor belongs to one at a time. */
  readonly #ending = new Map<string, Promise<void>>();
  #timer: NodeJS.Timeout | null = null;
  #ended = false;

  constructor(options: LogForwardingOptions) {
    this.#options = options;
    options.events.on('change', this.#onChange);
    this.#look();
  }

  async end(): Promise<void> {
    this.#ended = true;
    this.#options.events.off('change', this.#onChange);
    if (this.#timer) clearTimeout(this.#timer);
    for (const id of [...this.#active.keys()]) this.#end(id);
    await Promise.all(this.#ending.values());
  }

  readonly #onChange = (): void => {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#look();
    }, INTERVAL_MS).unref();
  };

  #look(): void {
    const wanted = new Set<string>();
    for (const record of this.#options.containers.all()) {
      const key = record.owner?.key;
      const settings = key === undefined ? null : this.#settingsOf(key, record);
      if (key === undefined || settings === null || settings.driver === 'json-file') continue;
      wanted.add(record.id);
      this.#keep(key, record, settings);
    }
    for (const id of [...this.#active.keys()]) if (!wanted.has(id)) this.#end(id);
  }

  #end(id: string): void {
    const running = this.#active.get(id);
    if (!running) return;
    this.#active.delete(id);
    this.#options.troubles.end(id);
    const ending = running.forwarder.end().then(() => {
      this.#ending.delete(id);
      if (!this.#ended) this.#onChange();
    });
    this.#ending.set(id, ending);
  }

  #settingsOf(key: ResourceKey, record: ContainerRecord): LogSettings | null {
    const declared = this.#options.desired().resources.get(key);
    const spec = declared?.kind === 'container' ? declared.spec : record.owner?.written;
    return (spec as Partial<ContainerSpec> | undefined)?.log ?? null;
  }

  #keep(key: ResourceKey, { id, engineName, config }: ContainerRecord, settings: LogSettings): void {
    const text = JSON.stringify(settings);
    const running = this.#active.get(id);
    if (running?.settings === text || this.#ended) return;
    this.#end(id);
    if (this.#ending.has(id)) return;
    const { containers, log, troubles, events } = this.#options;
    const logPath = containers.logPath(id);
    const sink = sinkFor(settings);
    if (!sink) return;
    const forwarder = new LogForwarder({
      logPath,
      cursorPath: join(logPath, '../log-cursor.json'),
      origin: { containerId: id, engineName, image: config.Image, tag: settings.tag ?? engineName },
      sink,
      onProblem: (message) => {
        const about = { key, driver: settings.driver };
        if (message === null) {
          troubles.end(id);
          log.info(about, 'its log is forwarded again');
        } else {
          const text = `its log is not forwarded: ${message}; it is kept and sent later`;
          troubles.begin(id, text);
          log.error(about, text);
        }
        events.emit('change');
      },
    });
    this.#active.set(id, { settings: text, forwarder });
  }
}
