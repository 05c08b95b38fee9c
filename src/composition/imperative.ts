/** What carries out the changes that clients of the Docker API ask for. */
import { systemClock } from '../ffi/boot-clock.ts';
import type { SupervisorEventBus } from '../supervisor/events.ts';
import { ImperativeContainers } from '../supervisor/imperative/containers.ts';
import { ImperativeNetworks } from '../supervisor/imperative/networks.ts';
import { Overrides } from '../supervisor/imperative/overrides.ts';
import { ImperativeVolumes } from '../supervisor/imperative/removed-volumes.ts';
import { Renames } from '../supervisor/imperative/rename.ts';
import { ImperativeUpdates } from '../supervisor/imperative/updates.ts';
import type { LoopStatus } from '../supervisor/loop-status.ts';
import type { Timeline } from '../supervisor/timeline.ts';
import type { Opened } from './open.ts';

export interface Imperative {
  readonly containers: ImperativeContainers;
  readonly volumes: ImperativeVolumes;
  readonly updates: ImperativeUpdates;
  readonly networks: ImperativeNetworks;
  readonly overrides: Overrides;
}

interface Around {
  readonly events: SupervisorEventBus;
  readonly loop: LoopStatus;
  readonly timeline: Timeline;
}

export function createImperative({ parts, stores, imperative, log, config }: Opened, around: Around): Imperative {
  const { desired, containers, approvals, failures, exec, exits } = parts;
  // The removal of what is declared by its record was not carried out.
  approvals.withdrawDeclared({ has: (key) => imperative.all().some((one) => one.key === key) });
  const shared = { ...around, imperative, desired, containers, failures, clock: systemClock };
  const volumes = new ImperativeVolumes({ ...shared, volumes: stores.volumes, approvals });
  const networks = new ImperativeNetworks({ ...shared, resources: stores.history.resources });
  const renames = new Renames({ ...shared, links: stores.links, leases: parts.leases });
  containers.watch({ recordChanged: (id) => renames.recordChanged(id), textWritten: () => {} });
  const made = new ImperativeContainers({
    ...shared,
    volumes,
    renames,
    isRunning: (id) => exec.running(id) !== null,
    onProblem: (text) => log.error(text),
  });
  exits.onExit((_exit, key) => {
    if (key) made.ended(key);
  });
  const updates = new ImperativeUpdates({ ...shared, leases: parts.leases });
  const overrides = new Overrides({ ...shared, isAllowed: config.apiOverride === 'allow' });
  containers.watch({ recordChanged: (id) => overrides.recordChanged(id), textWritten: () => {} });
  return { containers: made, volumes, networks, updates, overrides };
}
