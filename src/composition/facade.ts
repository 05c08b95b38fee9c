/** What the API answers from: the parts of a supervisor behind one facade. */
import type { Driver } from '../drivers/contract/driver.ts';
import type { StateIssue } from '../state/files/state-file.ts';
import { runDoctor } from '../supervisor/doctor/doctor.ts';
import { stateFacts } from '../supervisor/doctor/state-checks.ts';
import { ImageJobs } from '../supervisor/images/image-jobs.ts';
import type { LogTroubles } from '../supervisor/logs/forwarding/log-troubles.ts';
import { takeAway } from '../supervisor/reset/take-away.ts';
import { commandChecks } from '../supervisor/sources/who-may-command.ts';
import { Supervisor } from '../supervisor/supervisor.ts';
import { cutOffContainers } from '../supervisor/views/cut-off.ts';
import { sharingContainers } from '../supervisor/views/shared-groups.ts';
import { unfilteredRuns } from '../supervisor/views/unfiltered.ts';
import { doubtedSettings, refusedPaths } from './gates.ts';
import type { Opened } from './open.ts';
import { daemonFacts } from './preconditions.ts';
import type { Wired } from './wire.ts';

/** Why nothing is done any more after `tsdocker host-shutdown`. */
const HOST_SHUTDOWN = 'the host was shut down by `tsdocker host-shutdown`';

export function createFacade(wired: Wired, logTroubles: LogTroubles): Supervisor {
  const { opened, loop, timeline, events, pauses, seed, stopStage } = wired;
  const { world, engine, stores, sources, registry, kept, reset } = opened;
  const stopEverything = () => stopStage.run(HOST_SHUTDOWN);
  return new Supervisor({
    logTroubles,
    world,
    history: stores.history,
    reserve: stores.reserve,
    jobs: new ImageJobs(engine),
    registry,
    sources,
    kept,
    loop,
    timeline,
    events,
    pauses,
    seed,
    facts: daemonFacts(opened.config, opened.id, stores.issues),
    doctor: async () => doctorChecks(opened),
    stopEverything,
    reset: async (options) => {
      const { stopped } = await stopEverything();
      await engine.drain();
      const stays = await takeAway({ exec: world.exec, network: world.network, graphs: [world.graph] });
      reset.options = options;
      // After the answer.
      setImmediate(() => process.kill(process.pid, 'SIGTERM'));
      return { stopped, stays };
    },
  });
}

/** Issues of stores that find them later than at the start. */
export function laterIssues({ stores, world }: Opened): readonly StateIssue[] {
  const names = world.repositories.issue();
  return [...stores.declarations.issues, ...(names ? [names] : [])];
}

function doctorChecks(opened: Opened) {
  const { config, gates, state, stores, sources, world, loopPauses } = opened;
  const drivers: readonly (readonly Driver[])[] = [[world.graph], [world.network], [world.exec]];
  return [
    ...runDoctor(config.root, drivers, {
      runDir: state.runDir,
      ipForward: config.ipForward,
      pauses: loopPauses.view(),
      cutOff: cutOffContainers(world),
      sharing: sharingContainers(world),
      state: stateFacts(state.root, [...stores.issues, ...laterIssues(opened)], sources.uncertain),
      unfiltered: unfilteredRuns(world),
    }),
    ...commandChecks(sources.views(), sources.directory.refused, {
      refused: refusedPaths(config, state, gates),
      doubted: doubtedSettings(config, gates),
    }),
  ];
}
