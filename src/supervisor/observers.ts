/** What can be served beside the API, when it is asked for: metrics and the page. */
import type { EventOptions, EventView } from '../api/explain-views.ts';
import type { HttpAddress } from '../api/http-address.ts';
import { type HttpListener, type HttpRequest, sendText, serveHttp } from '../api/http-listener.ts';
import type { ContainerView, LogEntry, LogOptions } from '../api/supervisor.ts';
import type { TsdError } from '../model/errors.ts';
import { parseKey } from '../model/resource.ts';
import type { Controller, PassReport } from '../reconcile/controller.ts';
import type { OpResult } from '../reconcile/executor.ts';
import type { World } from '../reconcile/ops/world.ts';
import type { SupervisorEventBus } from './events.ts';
import { LastPlan } from './last-plan.ts';
import type { LoopNumbers, Metrics } from './metrics/metrics.ts';
import { networkBytesOf } from './metrics/network-bytes.ts';
import { type OverviewSource, overview } from './web/overview.ts';

export interface ObserverOptions {
  readonly metrics: HttpAddress | null;
  readonly web: HttpAddress | null;
  readonly group: string | null;
  readonly version: string;
  readonly onBug: (error: TsdError) => void;
}

/** What the observers look at; there once the supervisor is put together. */
export interface ObserverParts {
  readonly world: World;
  readonly controller: Pick<Controller, 'queued' | 'working'>;
  readonly events: SupervisorEventBus;
  readonly api: OverviewSource & {
    timeline(options: EventOptions, signal?: AbortSignal): AsyncIterable<EventView>;
    logs(name: string, options: LogOptions, signal?: AbortSignal): AsyncIterable<LogEntry>;
  };
}

/** Events that a page begins with. */
const LATEST_EVENTS_MS = 24 * 3600 * 1000;

export class Observers {
  readonly #options: ObserverOptions;
  readonly #lastPlan = new LastPlan();
  readonly #listeners: HttpListener[] = [];
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

  /** Listens where it is asked to; returns the addresses. @throws TsdError TSD_FLAG, TSD_LOCKED. */
  async serve(parts: ObserverParts): Promise<{ readonly metrics: string | null; readonly web: string | null }> {
    const { metrics, web } = this.#options;
    return {
      metrics: metrics && `${await this.#listen(metrics, await this.#metricsAnswer(parts))}/metrics`,
      web: web && (await this.#listen(web, await this.#pageAnswer(parts))),
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#listeners.splice(0).map((listener) => listener.close()));
  }

  async #listen(address: HttpAddress, answer: Parameters<typeof serveHttp>[0]['answer']): Promise<string> {
    const { group, onBug } = this.#options;
    const listener = await serveHttp({ address, group, answer, onBug });
    this.#listeners.push(listener);
    return listener.url;
  }

  async #metricsAnswer({ world, controller, api }: ObserverParts) {
    const { Metrics: Collected } = await import('./metrics/metrics.ts');
    const pidOf = ({ id }: ContainerView): number | null => world.exec.running(id)?.pid ?? null;
    const loop = (): LoopNumbers => {
      const desired = world.desired();
      const resources: Record<string, number> = { container: 0, image: 0, network: 0, volume: 0 };
      for (const key of desired.resources.keys()) {
        const { kind } = parseKey(key);
        resources[kind] = (resources[kind] ?? 0) + 1;
      }
      return { queued: controller.queued, inFlight: controller.working, generation: desired.generation, resources };
    };
    const metrics = new Collected({
      version: this.#options.version,
      loop,
      containers: {
        views: () => api.list('containers'),
        usage: ({ id }) => (id === '' ? null : world.exec.usage(id)),
        network: (view) => {
          const pid = pidOf(view);
          return pid !== null && world.containers.get(view.id)?.network ? networkBytesOf(pid) : null;
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

  async #pageAnswer({ world, events, api }: ObserverParts) {
    const { WebPage } = await import('./web/web-page.ts');
    const page = new WebPage({
      overview: () => overview(api, world.desired(), this.#lastPlan.view),
      events,
      timeline: (signal) =>
        api.timeline({ follow: true, sinceMs: world.clock.now().wallMs - LATEST_EVENTS_MS }, signal),
      logs: (name, options, signal) => api.logs(name, options, signal),
    });
    return page.answer;
  }
}
