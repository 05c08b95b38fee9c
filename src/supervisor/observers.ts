/** What can be served beside the API, when it is asked for: metrics and the page. */

import { describeHttpAddress, type HttpAddress } from '../api/http-address.ts';
import { type HttpListener, type HttpRequest, sendText, serveHttp } from '../api/http-listener.ts';
import type { LogEntry, LogOptions } from '../api/requests.ts';
import type { EventOptions, EventView } from '../api/views/explain-views.ts';
import type { ContainerView } from '../api/views/resource-views.ts';
import type { ExecDriver } from '../drivers/contract/exec.ts';
import { portHolder } from '../ffi/network/port-holder.ts';
import type { Clock, Timers } from '../model/clock.ts';
import type { DesiredState } from '../model/desired.ts';
import { describeError, type TsdError, toTsdError } from '../model/errors/errors.ts';
import { parseKey } from '../model/resource.ts';
import type { OpResult } from '../reconcile/executor.ts';
import type { Controller, PassReport } from '../reconcile/loop/controller.ts';
import type { ContainerStore } from '../state/containers/containers.ts';
import type { SupervisorEventBus } from './events.ts';
import { LastPlan } from './last-plan.ts';
import type { Logger } from './log.ts';
import type { LoopPausesView } from './loop-pauses.ts';
import type { LoopNumbers, Metrics } from './metrics/metrics.ts';
import { networkBytesOf } from './metrics/network-bytes.ts';
import type { ResolverView } from './resolver/resolver-service.ts';
import { type OverviewSource, overview } from './web/overview.ts';

/** As scripts/build.mjs puts it. */
const PAGE = new URL('../../dist/page/', import.meta.url);

export interface ObserverOptions {
  readonly metrics: HttpAddress | null;
  readonly web: HttpAddress | null;
  readonly group: string | null;
  readonly version: string;
  readonly timers: Timers;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly onBug: (error: TsdError) => void;
  readonly pauses: () => LoopPausesView;
  readonly resolver: () => ResolverView;
}

/** Something that is served at an address. */
interface Served {
  readonly flag: '--metrics' | '--web';
  readonly address: HttpAddress;
  readonly answer: Parameters<typeof serveHttp>[0]['answer'];
}

/** What the observers look at; there once the supervisor is put together. */
export interface ObserverParts {
  desired(): DesiredState;
  readonly clock: Clock;
  readonly exec: Pick<ExecDriver, 'running' | 'usage'>;
  readonly containers: Pick<ContainerStore, 'get'>;
  readonly controller: Pick<Controller, 'queued' | 'working'>;
  readonly events: SupervisorEventBus;
  readonly api: OverviewSource & {
    timeline(options: EventOptions, signal?: AbortSignal): AsyncIterable<EventView>;
    logs(name: string, options: LogOptions, signal?: AbortSignal): AsyncIterable<LogEntry>;
  };
}

/** Events that a page begins with. */
const LATEST_EVENTS_MS = 24 * 3600 * 1000;
/** How soon an address that could not be had is tried again. */
const RETRY_MS = 5_000;

/** Describes why an address is not available, and its holder. */
function trouble({ flag, address }: Served, error: TsdError): string {
  const holder = address.type === 'tcp' ? portHolder(address.port, 'tcp') : null;
  const who = holder === null ? '' : `; the port is used by ${holder}`;
  return `${flag} ${describeHttpAddress(address)} is not served: ${describeError(error)}${who}`;
}

export class Observers {
  readonly #options: ObserverOptions;
  readonly #lastPlan = new LastPlan();
  readonly #listeners: HttpListener[] = [];
  readonly #retries = new Map<string, () => void>();
  #closed = false;
  #metrics: Metrics | null = null;

  constructor(options: ObserverOptions) {
    this.#options = options;
  }

  pass(report: PassReport, atMs: number): void {
    this.#metrics?.pass(report);
    this.#lastPlan.pass(report, atMs);
  }

  op(result: OpResult): void {
    this.#metrics?.op(result);
  }

  defect(): void {
    this.#metrics?.defect();
  }

  /**
   * Listens where it is asked to; returns the addresses. One that is not available is logged and tried again: to look
   * on is worth less than to supervise.
   */
  async serve(parts: ObserverParts): Promise<{ readonly metrics: string | null; readonly web: string | null }> {
    const { metrics, web } = this.#options;
    return {
      metrics:
        metrics &&
        (await this.#serve({ flag: '--metrics', address: metrics, answer: await this.#metricsAnswer(parts) })),
      web: web && (await this.#serve({ flag: '--web', address: web, answer: await this.#pageAnswer(parts) })),
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const callOff of this.#retries.values()) callOff();
    await Promise.all(this.#listeners.splice(0).map((listener) => listener.close()));
  }

  /** The address, or null when it could not be had yet. */
  async #serve(served: Served): Promise<string | null> {
    try {
      return await this.#listen(served);
    } catch (thrown) {
      this.#options.log.warn(trouble(served, toTsdError(thrown)));
      this.#retry(served);
      return null;
    }
  }

  #retry(served: Served): void {
    if (this.#closed) return;
    const again = async () => {
      try {
        this.#options.log.info(`${served.flag} is served at ${await this.#listen(served)}`);
      } catch {
        // Said already.
        this.#retry(served);
      }
    };
    this.#retries.set(
      served.flag,
      this.#options.timers.after(RETRY_MS, () => void again()),
    );
  }

  async #listen({ flag, address, answer }: Served): Promise<string> {
    const { group, onBug } = this.#options;
    const listener = await serveHttp({ address, group, answer, onBug });
    if (this.#closed) await listener.close();
    else this.#listeners.push(listener);
    return flag === '--metrics' ? `${listener.url}/metrics` : listener.url;
  }

  async #metricsAnswer({ desired: declared, exec, containers, controller, api }: ObserverParts) {
    const { Metrics: Collected } = await import('./metrics/metrics.ts');
    const pidOf = ({ id }: ContainerView): number | null => exec.running(id)?.pid ?? null;
    const loop = (): LoopNumbers => {
      const desired = declared();
      const resources: Record<string, number> = { container: 0, image: 0, network: 0, volume: 0 };
      for (const key of desired.resources.keys()) {
        const { kind } = parseKey(key);
        resources[kind] = (resources[kind] ?? 0) + 1;
      }
      return { queued: controller.queued, inFlight: controller.working, generation: desired.generation, resources };
    };
    const metrics = new Collected({
      version: this.#options.version,
      pauses: this.#options.pauses,
      resolver: this.#options.resolver,
      loop,
      containers: {
        views: () => api.list('containers'),
        usage: ({ id }) => (id === '' ? null : exec.usage(id)),
        network: (view) => {
          const pid = pidOf(view);
          return pid !== null && containers.get(view.id)?.network ? networkBytesOf(pid) : null;
        },
      },
    });
    this.#metrics = metrics;
    return async ({ path }: HttpRequest, response: Parameters<typeof sendText>[0]): Promise<void> => {
      if (path !== '/metrics') {
        sendText(response, 404, 'metrics are at /metrics');
        return;
      }
      const text = await metrics.text();
      response.writeHead(200, { 'content-type': metrics.contentType });
      response.end(text);
    };
  }

  async #pageAnswer({ desired, clock, events, api }: ObserverParts) {
    const { WebPage } = await import('./web/web-page.ts');
    const page = new WebPage({
      page: PAGE,
      overview: () => overview(api, desired(), this.#lastPlan.view),
      events,
      timeline: (signal) => api.timeline({ follow: true, sinceMs: clock.now().wallMs - LATEST_EVENTS_MS }, signal),
      logs: (name, options, signal) => api.logs(name, options, signal),
    });
    return page.answer;
  }
}
