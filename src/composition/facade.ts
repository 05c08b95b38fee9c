/** What the API answers from: the parts of a supervisor behind one facade. */
import type { Driver } from '../drivers/contract/driver.ts';
import { observe, observedContainer } from '../reconcile/observe.ts';
import type { ContainerRecord } from '../state/containers/container-record.ts';
import type { StateIssue } from '../state/files/state-file.ts';
import { hasNetworks, runDoctor } from '../supervisor/doctor/doctor.ts';
import { stateFacts } from '../supervisor/doctor/state-checks.ts';
import { Builds } from '../supervisor/images/builds.ts';
import { ImageFiles } from '../supervisor/images/image-files.ts';
import { RegistryCommands } from '../supervisor/images/registry-commands.ts';
import type { LogTroubles } from '../supervisor/logs/forwarding/log-troubles.ts';
import type { ApplyParts } from '../supervisor/requests/apply.ts';
import { Approvals } from '../supervisor/requests/approvals.ts';
import { ContainerChanges } from '../supervisor/requests/container-changes.ts';
import { NamedResources } from '../supervisor/requests/named-resources.ts';
import { StartCommands } from '../supervisor/requests/start-commands.ts';
import { takeAway } from '../supervisor/reset/take-away.ts';
import { commandChecks } from '../supervisor/sources/who-may-command.ts';
import { Supervisor, type SupervisorParts } from '../supervisor/supervisor.ts';
import { CurrentViews } from '../supervisor/views/current-views.ts';
import { cutOffContainers } from '../supervisor/views/cut-off.ts';
import { wordsOfFailedUpdate } from '../supervisor/views/explain.ts';
import { Planner } from '../supervisor/views/planner.ts';
import { sharingContainers } from '../supervisor/views/shared-groups.ts';
import { unfilteredRuns } from '../supervisor/views/unfiltered.ts';
import { doubtedSettings, refusedPaths } from './gates.ts';
import type { Opened } from './open.ts';
import { daemonFacts } from './preconditions.ts';
import type { Wired } from './wire.ts';

/** Why nothing is done any more after `tsdocker host-shutdown`. */
const HOST_SHUTDOWN = 'the host was shut down by `tsdocker host-shutdown`';

export function createFacade(wired: Wired, logTroubles: LogTroubles): Supervisor {
  const { opened, loop, timeline, events, stopStage } = wired;
  const { world, engine, stores, sources, reset, sysinfo, limits } = opened;
  const { history, reserve } = stores;
  const { containers, images, exec, clock } = world;
  const desired = () => sources.state;
  const named = new NamedResources({ ...world, desired, loop });
  const views = createViews(wired, { named, logTroubles });
  const planner = createPlanner(wired);
  const approvals = new Approvals({ world, sources, reserve, timeline, loop });
  const stopEverything = () => stopStage.run(HOST_SHUTDOWN);
  return new Supervisor({
    named,
    views,
    planner,
    approvals,
    ...createCommands(wired),
    ...createImageCommands(wired, named),
    changes: createChanges(wired, { views, planner }),
    logs: { desired, containers, exec, loop, events },
    containers,
    images,
    exec,
    clock,
    history,
    sources,
    loop,
    events,
    sysinfo,
    limits,
    facts: { ...daemonFacts(opened.config, opened.id, stores.issues), ...driverFacts(opened) },
    doctor: async () => doctorChecks(opened),
    stopEverything,
    reset: async (options) => {
      const { stopped } = await stopEverything();
      await engine.drain();
      const stays = await takeAway({ execs: [world.exec], network: world.network, graphs: [world.graph] });
      reset.options = options;
      // After the answer.
      setImmediate(() => process.kill(process.pid, 'SIGTERM'));
      return { stopped, stays };
    },
  });
}

function createViews(
  { opened: { world, sources, stores }, loop }: Wired,
  { named, logTroubles }: { readonly named: NamedResources; readonly logTroubles: LogTroubles },
): CurrentViews {
  const { containers, exec, names, images, repositories, volumes, resources, defaultNetwork } = world;
  return new CurrentViews({
    look: (reading) => observe(world, new Set(), reading),
    sources,
    history: stores.history,
    loop,
    logTroubles,
    named,
    of: {
      containers: { containers, exec, names },
      images: { images, repositories },
      volumes: { containers, volumes },
      networks: { containers, resources, defaultNetwork },
    },
  });
}

function createPlanner({ opened: { world }, seed }: Wired): Planner {
  const { containers, volumes, resources, clock } = world;
  return new Planner({
    look: ({ state, copies }, scope) =>
      observe({ ...world, desired: () => state, ...(copies && { copiesToCome: copies }) }, scope),
    containers,
    volumes,
    resources,
    clock,
    seed,
  });
}

function createChanges(
  { opened: { world, sources, stores, limits }, loop, events }: Wired,
  { views, planner }: { readonly views: CurrentViews; readonly planner: Planner },
): ApplyParts {
  const { containers, resources, exits, clock } = world;
  return {
    sources,
    planner,
    limits,
    loop,
    events,
    clock,
    containers,
    resources,
    exits,
    observed: (record) => observedContainer(world, record, null),
    viewInput: () => views.input(),
    wordsOfFailedUpdate: (key) => wordsOfFailedUpdate(stores.history, key),
  };
}

function createCommands({
  opened: { world, sources, stores },
  loop,
  events,
  timeline,
}: Wired): Pick<SupervisorParts, 'starts' | 'stops' | 'kills' | 'waits'> {
  const { containers, commits, failures, clock, bootId, exec, stopClocks, leftDown, exits } = world;
  const desired = () => sources.state;
  const observed = (record: ContainerRecord) => observedContainer(world, record, null);
  const changes = new ContainerChanges({
    containers,
    commits,
    failures,
    reserve: stores.reserve,
    clock,
    events,
    loop,
  });
  const proof = { desired, clock, containers, failures, observed, exits, loop, events };
  return {
    starts: new StartCommands({ changes, proof, exec, stopClocks, failures, leftDown, loop, timeline }),
    stops: { changes, desired, clock, bootId, exec, stopClocks, loop, timeline },
    kills: { exec, timeline },
    waits: { changes, exits, containers },
  };
}

function createImageCommands(
  { opened: { world, stores, registry, kept }, loop, pauses }: Wired,
  named: NamedResources,
): Pick<SupervisorParts, 'builds' | 'imageFiles' | 'registry'> {
  const { history, reserve } = stores;
  const container = (name: string) => named.reachable(name);
  return {
    builds: new Builds({ world }),
    imageFiles: new ImageFiles({ world, history, kept, pauses, container }),
    registry: new RegistryCommands({ world, registry, reserve, enqueue: (keys) => loop.enqueue(keys) }),
  };
}

function driverFacts({ state, world }: Opened) {
  return {
    instance: state.instanceId,
    root: state.root,
    runDir: state.runDir,
    graphDriver: world.graph.name,
    execDriver: world.exec.name,
    networkDriver: world.settings.networkDriver,
  };
}

/** Issues of stores that find them later than at the start. */
export function laterIssues({ stores, world }: Opened): readonly StateIssue[] {
  const names = world.repositories.issue();
  return [...stores.declarations.issues, ...(names ? [names] : [])];
}

function doctorChecks(opened: Opened) {
  const { config, gates, state, stores, sources, world, loopPauses, sysinfo } = opened;
  const drivers: readonly (readonly Driver[])[] = [
    [world.graph],
    world.network.drivers.filter(hasNetworks),
    [world.exec],
  ];
  return [
    ...runDoctor(config.root, sysinfo, drivers, {
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
