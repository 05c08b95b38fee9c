/** Third step of a start: takes over live runs, watches the manifests, serves the API, and starts the loop. */
import type { ApiServer } from '../api/server.ts';
import { systemClock } from '../ffi/boot-clock.ts';
import { type ManifestWatcher, watchManifests } from '../manifest/source/watch.ts';
import { describeError } from '../model/errors/errors.ts';
import { servedBy } from '../supervisor/jobs/facade-jobs.ts';
import { acceptConnections, beginServing } from '../supervisor/jobs/serve-jobs.ts';
import { LogForwarding } from '../supervisor/logs/forwarding/log-forwarding.ts';
import { LogTroubles } from '../supervisor/logs/forwarding/log-troubles.ts';
import type { LoopStatus } from '../supervisor/loop-status.ts';
import type { Observers } from '../supervisor/observers.ts';
import type { Sources } from '../supervisor/sources/sources.ts';
import { keepStatus } from '../supervisor/status-line.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import { forgetStops } from '../supervisor/take-over/always.ts';
import { leaveDown } from '../supervisor/take-over/leave-down.ts';
import { registerBuiltins } from './builtins.ts';
import { createDocker } from './docker.ts';
import { createFacade, laterIssues } from './facade.ts';
import { WORKED_ON } from './ports/worked-on.ts';
import type { Wired } from './wire.ts';

/** What answers and works. */
export interface Served {
  readonly wired: Wired;
  readonly server: ApiServer;
  readonly api: Supervisor;
  /** Addresses of what is served beside the API. */
  readonly addresses: Awaited<ReturnType<Observers['serve']>>;
}

/** @throws TsdError for a socket that another process has, and for other reasons that keep it from answering. */
export async function serve(wired: Wired): Promise<Served> {
  const { opened, events, feed, observers, controller, collector, onBug } = wired;
  const { config, log, engine, service, loopPauses, parts, sources } = opened;
  const troubles = new LogTroubles(systemClock);
  const api = createFacade(wired, troubles);
  const served = servedBy(engine, systemClock);
  const serving = { api: served, other: createDocker(wired, served), onBug, onReady: () => service.ready() };
  registerBuiltins({ engine, api, feed, serving });
  const server = await beginServing(engine, config);
  engine.onShutdown('API', () => server.close(), WORKED_ON);
  await takeOver(wired);
  const watcher = watch(wired);
  const closeManifests = async () => {
    await watcher.close();
    await sources.directory.close();
  };
  engine.onShutdown('manifests', closeManifests, WORKED_ON);
  for (const { path, error } of laterIssues(opened))
    log.warn({ path, code: error.code, hint: error.hint }, describeError(error));
  const addresses = await observers.serve({
    desired: () => sources.state,
    clock: systemClock,
    containers: parts.containers,
    exec: parts.exec,
    controller,
    events,
    api,
  });
  controller.start();
  collector.start();
  loopPauses.start();
  engine.onShutdown('watch of the event loop', () => loopPauses.stop());
  const forwarding = new LogForwarding({
    desired: () => sources.state,
    containers: parts.containers,
    events,
    log,
    troubles,
  });
  engine.onShutdown('log forwarding', () => forwarding.end(), WORKED_ON);
  return { wired, server, api, addresses };
}

/** Says that it is ready, and how it is from now on. Signals are trapped by then: the answer may be one that ends it. */
export async function announce({ wired, api, addresses }: Served): Promise<void> {
  const { opened, events, loop } = wired;
  const { config, log, engine, service, parts, sources } = opened;
  await acceptConnections(engine);
  const facts = () => ({ ...api.info(), holds: holds(sources, loop) });
  engine.onShutdown(
    'status line',
    keepStatus(events, facts, (line) => service.status(line)),
    WORKED_ON,
  );
  log.info({ socket: config.hosts, manifests: config.manifests, graph: parts.graph.name, ...addresses }, 'ready');
}

/** Asks which runs of an earlier supervisor still run. */
async function takeOver({ opened, loop, adoption }: Wired): Promise<void> {
  const { config, log, parts, names, resolver } = opened;
  const adopted = await adoption.begin();
  if (config.restart) forgetStops(parts);
  else leaveDown(parts);
  loop.setUnavailable(adopted.unavailable);
  names.begin();
  resolver.begin();
  log.info({ running: adopted.running, exited: adopted.exited }, 'took over what was there');
}

function watch({ opened, events }: Wired): ManifestWatcher {
  const { config, log, gates, paths, sources, wires } = opened;
  const watcher = watchManifests(config.manifests, {
    clock: systemClock,
    files: paths,
    gate: gates.own,
    knownFiles: sources.views().filter(({ origin }) => origin === 'watched').length,
    onChange: async (snapshot) => {
      if (!(await sources.directory.watch(snapshot))) return;
      const { heldRemoval } = sources.decisions;
      if (heldRemoval) log.warn(heldRemoval.message);
      if (sources.directory.refused) {
        const { message, hint } = sources.directory.refused;
        log.error({ code: 'TSD_UNTRUSTED' }, `${message}; its manifests stay as they are in force. ${hint}`);
      }
      watcher.setInputs(sources.inputs());
      events.emit('change');
    },
    onProblem: (error) => log.error(describeError(error)),
  });
  wires.on('desired', () => watcher.setInputs(sources.inputs()));
  return watcher;
}

function holds(sources: Sources, loop: LoopStatus) {
  return [...sources.state.resources.keys()].flatMap((key) => {
    const hold = loop.hold(key);
    return hold ? [[key, hold] as const] : [];
  });
}
