/** Third step of a start: takes over what runs, watches the manifests, answers, and begins to reconcile. */
import { serveApi } from '../api/server.ts';
import { systemClock } from '../ffi/boot-clock.ts';
import { type ManifestWatcher, watchManifests } from '../manifest/source/watch.ts';
import { describeError } from '../model/errors.ts';
import { leaveDown } from '../supervisor/adopt.ts';
import { LogForwarding } from '../supervisor/logs/forwarding/log-forwarding.ts';
import { LogTroubles } from '../supervisor/logs/forwarding/log-troubles.ts';
import type { LoopStatus } from '../supervisor/loop-status.ts';
import type { Sources } from '../supervisor/sources.ts';
import { keepStatus } from '../supervisor/status-line.ts';
import type { Closers } from './closers.ts';
import { createFacade, laterIssues } from './facade.ts';
import type { Wired } from './wire.ts';

/** Parts that end before others that were opened later. */
export interface Served {
  readonly wired: Wired;
  readonly closeManifests: () => void | Promise<void>;
  readonly closeApi: () => void | Promise<void>;
  readonly endStatus: () => void | Promise<void>;
}

/** @throws TsdError for a socket that another process has, and for other reasons that keep it from answering. */
export async function serve(wired: Wired, closers: Closers): Promise<Served> {
  const { opened, events, observers, controller, collector, onBug } = wired;
  const { config, log, service, engine, loopPauses, world, sources } = opened;
  await takeOver(wired);
  const watcher = watch(wired);
  const closeManifests = closers.add('manifests', async () => {
    await watcher.close();
    await sources.close();
  });
  for (const { path, error } of laterIssues(opened))
    log.warn({ path, code: error.code, hint: error.hint }, describeError(error));
  const troubles = new LogTroubles(systemClock);
  const api = createFacade(wired, troubles);
  const served = await observers.serve({ world, controller, events, api });
  const server = await serveApi({ api, hosts: config.hosts, group: config.group, onBug });
  const closeApi = closers.add('API', async () => {
    // Begun first: it ends what only those who asked for it wait for, builds and pulls.
    const closed = server.close();
    await engine.shutdown();
    await closed;
  });
  controller.start();
  collector.start();
  loopPauses.start();
  closers.add('watch of the event loop', () => loopPauses.stop());
  service.ready();
  const forwarding = new LogForwarding({ world, events, log, troubles });
  closers.add('log forwarding', () => forwarding.end());
  const statusFacts = () => ({ ...api.info(), holds: holds(sources, wired.loop) });
  const endStatus = closers.add(
    'status line',
    keepStatus(events, statusFacts, (line) => service.status(line)),
  );
  log.info({ socket: config.hosts, manifests: config.manifests, graph: world.graph.name, ...served }, 'ready');
  return { wired, closeManifests, closeApi, endStatus };
}

/** Asks which runs of an earlier supervisor go on. */
async function takeOver({ opened, loop, adoption }: Wired): Promise<void> {
  const { config, log, world, names } = opened;
  const adopted = await adoption.begin();
  if (!config.restart) leaveDown(world);
  loop.setUnavailable(adopted.unavailable);
  names.begin();
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
      if (!(await sources.watch(snapshot))) return;
      if (sources.held) log.warn(sources.held.message);
      if (sources.refused) {
        const { message, hint } = sources.refused;
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
