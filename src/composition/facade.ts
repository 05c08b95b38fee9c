/** The facade behind the API, over the parts of a supervisor. */
import type { Driver } from '../drivers/contract/driver.ts';
import { shownFamilies } from '../reconcile/ops/networks/network-families.ts';
import type { ContainerRecord } from '../state/containers/container-record.ts';
import type { StateIssue } from '../state/files/state-file.ts';
import { hasNetworks, runDoctor } from '../supervisor/doctor/doctor.ts';
import { earlierNetworks } from '../supervisor/doctor/earlier-networks.ts';
import { resolverCheck } from '../supervisor/doctor/resolver-check.ts';
import { stateFacts } from '../supervisor/doctor/state-checks.ts';
import type { LogTroubles } from '../supervisor/logs/forwarding/log-troubles.ts';
import type { ApplyParts } from '../supervisor/requests/apply.ts';
import { Approvals } from '../supervisor/requests/approvals.ts';
import { ComingContainers } from '../supervisor/requests/coming-containers.ts';
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
import { createImageCommands } from './ports/image-commands.ts';
import { daemonFacts } from './preconditions.ts';
import type { Wired } from './wire.ts';

/** Reason of the stopped loop after `tsdocker host-shutdown`. */
const HOST_SHUTDOWN = 'the host was shut down by `tsdocker host-shutdown`';
const RESET = '`tsdocker reset` takes this instance away';

export function createFacade(wired: Wired, logTroubles: LogTroubles): Supervisor {
  const { opened, loop, events, stopStage } = wired;
  const { parts, engine, stores, sources, reset, sysinfo, limits } = opened;
  const { history } = stores;
  const { desired, containers, images, volumes, resources, exec, unanswered, clock, defaultNetwork } = parts;
  const named = new NamedResources({ desired, containers, volumes, resources, exec, unanswered, defaultNetwork });
  const { failures } = parts;
  const coming = new ComingContainers({ named, desired, containers, exec, failures, loop, clock, events });
  const views = createViews(wired, { named, logTroubles });
  const planner = createPlanner(wired);
  const approvals = createApprovals(wired);
  return new Supervisor({
    named,
    coming,
    views,
    planner,
    approvals,
    ...createCommands(wired),
    ...createImageCommands(wired, coming),
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
    newNetworks: parts.settings.newNetworks,
    facts: { ...daemonFacts(opened.config, opened.id, stores.issues), ...driverFacts(opened) },
    resolver: () => opened.resolver.view(),
    doctor: async () => doctorChecks(opened),
    stopEverything: () => stopStage.run(HOST_SHUTDOWN),
    reset: async (options) => {
      const { stopped } = await stopStage.run(RESET);
      await engine.drain();
      await opened.resolver.close(() => false);
      const stays = await takeAway({ execs: [exec], network: parts.network, graphs: [parts.graph] });
      reset.options = options;
      // After the answer.
      setImmediate(() => process.kill(process.pid, 'SIGTERM'));
      return { stopped, stays };
    },
  });
}

export type ContainerCommands = Pick<SupervisorParts, 'starts' | 'stops' | 'kills' | 'waits'>;

function createApprovals({ opened: { parts, sources, stores }, loop, timeline }: Wired): Approvals {
  const { desired, approvals, containers, links, volumes, clock } = parts;
  return new Approvals({
    approvals,
    containers,
    damaged: { containers, links, approvals },
    data: { desired, volumes, containers },
    clock,
    sources,
    reserve: stores.reserve,
    timeline,
    loop,
  });
}

function createViews(
  { opened: { parts, observing, sources, stores, resolver }, loop }: Wired,
  { named, logTroubles }: { readonly named: NamedResources; readonly logTroubles: LogTroubles },
): CurrentViews {
  const { containers, exec, names, images, repositories, volumes, resources, defaultNetwork } = parts;
  return new CurrentViews({
    look: (reading) => observing.observer.observe(new Set(), reading),
    sources,
    history: stores.history,
    loop,
    logTroubles,
    named,
    of: {
      containers: { containers, exec, names, resolver },
      images: { images, repositories },
      volumes: { containers, volumes },
      networks: { containers, resources, defaultNetwork },
    },
  });
}

function createPlanner({ opened: { parts, observing }, seed }: Wired): Planner {
  const { containers, volumes, resources, clock } = parts;
  return new Planner({
    look: (wanted, scope) => observing.observer.observe(scope, undefined, wanted),
    containers,
    volumes,
    resources,
    clock,
    seed,
  });
}

function createChanges(
  { opened: { parts, observing, sources, stores, limits }, loop, events }: Wired,
  { views, planner }: { readonly views: CurrentViews; readonly planner: Planner },
): ApplyParts {
  const { containers, resources, exits, clock } = parts;
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
    observed: (record) => observing.sight.look(record),
    viewInput: () => views.input(),
    wordsOfFailedUpdate: (key) => wordsOfFailedUpdate(stores.history, key),
  };
}

/** Commands on containers that are there. */
export function createCommands({
  opened: { parts, observing, stores },
  loop,
  events,
  timeline,
}: Wired): ContainerCommands {
  const { desired, containers, commits, failures, clock, bootId, exec, stopClocks, leftDown, exits } = parts;
  const observed = (record: ContainerRecord) => observing.sight.look(record);
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

function driverFacts({ state, parts }: Opened) {
  return {
    instance: state.instanceId,
    root: state.root,
    runDir: state.runDir,
    graphDriver: parts.graph.name,
    execDriver: parts.exec.name,
    networkDriver: parts.settings.networkDriver,
  };
}

/** Issues of stores that find them later than at the start. */
export function laterIssues({ stores, parts }: Opened): readonly StateIssue[] {
  const names = parts.repositories.issue();
  return [...stores.declarations.issues, ...(names ? [names] : [])];
}

function doctorChecks(opened: Opened) {
  const { config, gates, state, stores, sources, parts, loopPauses, sysinfo } = opened;
  const families = shownFamilies(parts.settings.newNetworks);
  const drivers: readonly (readonly Driver[])[] = [
    [parts.graph],
    parts.network.drivers.filter(hasNetworks),
    [parts.exec],
  ];
  return [
    ...runDoctor(config.root, sysinfo, drivers, {
      runDir: state.runDir,
      ipForward: config.ipForward,
      pauses: loopPauses.view(),
      cutOff: cutOffContainers(parts),
      newNetworks: families,
      earlierNetworks: earlierNetworks(parts.resources.networks(), families.ipv6),
      sharing: sharingContainers(parts),
      state: stateFacts(state.root, [...stores.issues, ...laterIssues(opened)], sources.uncertain),
      unfiltered: unfilteredRuns(parts),
    }),
    resolverCheck(opened.resolver.view(), parts.network.nameShortcoming),
    ...commandChecks(sources.views(), sources.directory.refused, {
      refused: refusedPaths(config, state, gates),
      doubted: doubtedSettings(config, gates),
    }),
  ];
}
