/** `deploy.restart_policy` and `deploy.update_config` of a Compose service (the Compose specification, "Deploy"). */
import { networkMode, ownsNamespace } from '../../../model/network-mode.ts';
import type { ResourceDraft } from '../draft.ts';
import type { FieldTable, Part } from '../part.ts';

/** The words of the specification, and those of the engine that Compose takes as well. */
const CONDITIONS: ReadonlyMap<string, string> = new Map([
  ['none', 'no'],
  ['no', 'no'],
  ['any', 'always'],
  ['always', 'always'],
  ['on-failure', 'on-failure'],
  ['unless-stopped', 'unless-stopped'],
]);

const RESTART_POLICY: FieldTable<ResourceDraft> = {
  // Read together.
  condition: () => {},
  max_attempts: () => {},
  delay: 'no meaning: the delay grows from 500 ms to 60 s; restart.backoff of a manifest changes that',
  window: 'no meaning: the delay is short again after 10 s of running; restart.backoff of a manifest changes that',
};

export function readRestartPolicy(part: Part, container: ResourceDraft): void {
  part.each(RESTART_POLICY, container, container);
  const condition = part.textOf('condition') ?? 'any';
  const at = part.get('condition')?.at ?? part.at;
  const policy = CONDITIONS.get(condition);
  if (policy === undefined) {
    container.refuse(at, `restart_policy: ${JSON.stringify(condition.slice(0, 40))} is not a condition`);
    return;
  }
  const attempts = part.textOf('max_attempts');
  const limited = policy === 'on-failure' && attempts !== undefined;
  if (attempts !== undefined && !limited)
    container.warn(part.get('max_attempts')?.keyAt ?? at, 'max_attempts counts with the condition on-failure only');
  container.set('restart', limited ? `on-failure:${attempts}` : policy, at);
}

const ONE_CONTAINER = 'no meaning: a service is one container here' as const;

const UPDATE: FieldTable<ResourceDraft> = {
  order: (part, container) => {
    const order = part.text();
    if (order !== 'start-first' && order !== 'stop-first') {
      container.refuse(part.at, `update_config: ${JSON.stringify(order.slice(0, 40))} is not an order`);
      return;
    }
    const obstacle = order === 'start-first' ? obstacleOf(container) : null;
    if (obstacle === null) container.put('update', 'order', order, part.at);
    else container.warn(part.at, `order start-first: ${obstacle}, so the order is stop-first`);
  },
  failure_action: (part, container) => {
    const action = part.text();
    if (action === 'rollback') container.put('update', 'onFailure', 'rollback', part.at);
    else if (action === 'pause') container.put('update', 'onFailure', 'hold', part.at);
    else container.warn(part.at, `failure_action ${action.slice(0, 40)}: an update that fails is rolled back`);
  },
  parallelism: ONE_CONTAINER,
  delay: ONE_CONTAINER,
  max_failure_ratio: ONE_CONTAINER,
  monitor: 'no meaning: update.timeout of a manifest says how long a container may take to be ready',
};

/** Why two containers of a service cannot be there at once; null when they can. */
function obstacleOf(container: ResourceDraft): string | null {
  if (!ownsNamespace(networkMode(String(container.get('network') ?? '')))) return 'it has no network of its own';
  if (container.get('address') !== undefined) return 'it has a fixed address';
  const mounts = (container.get('volumes') ?? []) as readonly unknown[];
  if (mounts.some(isWritable)) return 'both containers would write to its volumes';
  const shared = (container.get('volumesFrom') ?? []) as readonly string[];
  if (shared.some((text) => !text.endsWith(':ro'))) return 'both containers would write to the volumes of another one';
  return null;
}

function isWritable(mount: unknown): boolean {
  if (typeof mount === 'string') return !mount.endsWith(':ro');
  const { type, readOnly } = mount as { type?: unknown; readOnly?: unknown };
  return type !== 'tmpfs' && readOnly !== true;
}

/** Reads how a container is replaced; what it mounts and where it is on the network must be known. */
export function readUpdate(service: Part, container: ResourceDraft): void {
  service.get('deploy')?.get('update_config')?.each(UPDATE, container, container);
}
