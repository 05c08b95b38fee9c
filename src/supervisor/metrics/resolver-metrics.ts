/** What the resolver did, as it said a moment ago, and whether it runs. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Stats } from '../../resolver/protocol.ts';
import type { ResolverView } from '../resolver/resolver-service.ts';

type Value = (view: ResolverView) => number | null;

const ofStats =
  (value: (stats: Stats) => number): Value =>
  ({ stats }) =>
    stats === null ? null : value(stats);

const GAUGES: Readonly<Record<string, readonly [help: string, value: Value]>> = {
  tsdocker_resolver_up: ['1 while the resolver runs, 0 while it is needed and does not; absent without need.', up],
  tsdocker_resolver_containers: ['Containers that ask the resolver.', ({ sandboxes }) => sandboxes],
  tsdocker_resolver_relayed_ports: ['Published ports that the resolver relays.', ({ relays }) => relays],
  tsdocker_resolver_open_connections: ['Connections and UDP clients that are relayed.', ofStats((s) => s.relaying)],
  tsdocker_resolver_waiting_questions: ['Questions that wait for a name server.', ofStats((s) => s.waiting)],
  tsdocker_resolver_cache_bytes: ['Answers of name servers that are kept.', ofStats((s) => s.cacheBytes)],
  tsdocker_resolver_memory_bytes: ['Resident memory.', ofStats((s) => s.residentBytes)],
};

/** They begin at 0 with each resolver, as those of a process do. */
const COUNTERS: Readonly<Record<string, readonly [help: string, value: Value]>> = {
  tsdocker_resolver_restarts_total: ['Starts after a failure.', ({ restarts }) => restarts],
  tsdocker_resolver_questions_total: ['Questions of containers.', ofStats((s) => s.questions)],
  tsdocker_resolver_answers_total: ['Questions answered from names of containers.', ofStats((s) => s.answered)],
  tsdocker_resolver_cached_total: ['Questions answered from the cache.', ofStats((s) => s.cached)],
  tsdocker_resolver_forwards_total: ['Questions sent to name servers.', ofStats((s) => s.forwarded)],
  tsdocker_resolver_failures_total: ['Questions that no name server answered.', ofStats((s) => s.failed)],
  tsdocker_resolver_connections_total: ['Connections and UDP clients relayed.', ofStats((s) => s.relayed)],
  tsdocker_resolver_connections_failed_total: [
    'Connections that the container did not take.',
    ofStats((s) => s.relaysFailed),
  ],
};

function up({ state }: ResolverView): number | null {
  return state === 'off' ? null : Number(state === 'running');
}

export function resolverMetrics(registry: Registry, view: () => ResolverView): void {
  const registers = [registry];
  for (const [name, [help, value]] of Object.entries(GAUGES)) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        const present = value(view());
        if (present === null) this.remove();
        else this.set(present);
      },
    });
  }
  for (const [name, [help, value]] of Object.entries(COUNTERS)) {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(value(view()) ?? 0);
      },
    });
  }
}
