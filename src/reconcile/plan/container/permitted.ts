/** Decides which steps of an intent may run now; the rest becomes a hold. */
import type { Desired } from '../../../model/desired.ts';
import { parseKey, type ResourceKey } from '../../../model/resource.ts';
import { baseKey } from '../../../model/update.ts';
import type { Intent, Step } from '../intent.ts';
import { changesEndpoints } from '../live-networks.ts';
import { loadingNeed, type Unmet, unmet, unmetNetwork } from '../needs.ts';
import type { Pass } from '../order/pass.ts';
import { failureHold } from '../order/pass.ts';
import { isReplaced } from './container-ops.ts';

type Container = Desired<'container'>;

/** Interval between checks of an obstacle on the host, for which there is no event. */
const OBSTACLE_RECHECK_MS = 2_000;

/**
 * Returns the part of an intent that may run now; the rest becomes a hold.
 * @param exists true when the container, or the one it replaces, exists: it stays as it is while images load
 * @param forgiven true to ignore an earlier failure
 */
export function permitted(pass: Pass, desired: Container, intent: Intent, exists: boolean, forgiven = false): Intent {
  if (intent.steps.length === 0) return intent;
  const failed = forgiven ? null : failureHold(pass, desired.key, desired);
  if (failed) return { ...intent, steps: [], hold: intent.hold ?? failed };
  const starts = intent.steps.some((step) => step.name === 'start');
  const creates = intent.steps.some((step) => step.name === 'create');
  if (!starts && !creates) return joinedWhenThere(pass, desired, intent);

  // Obstacles are computed for the current declaration; they are in the way of a run.
  const obstacle = !starts || isReplaced(pass, desired) ? undefined : pass.observed.obstacles.get(baseKey(desired.key));
  const hint = pass.observed.obstacleHints?.get(baseKey(desired.key));
  // A restart for a change waits for the image as well: it would run once with the old one.
  const changes = pass.observed.containers.get(desired.key)?.specHash !== desired.specHash;
  const loads = loadingNeed(pass, desired, creates || changes);
  const waiting =
    obstacle !== undefined
      ? null
      : loads !== null && exists
        ? afterLoad(intent, loads)
        : unmet(pass, desired, creates, starts);
  if (obstacle === undefined && waiting === null) {
    if (loads !== null) pass.loading.add(desired.key);
    return intent;
  }
  const { key } = desired;
  return {
    ...intent,
    steps: intent.steps.filter((step) => step.name === 'update' || step.name === 'signal'),
    hold: waiting
      ? {
          key,
          reason: waiting.busy ? 'busy' : 'dependency-not-ready',
          message: waiting.message,
          ...(waiting.hint !== undefined && { hint: waiting.hint }),
          untilBootMs: null,
        }
      : {
          key,
          reason: 'unavailable',
          message: obstacle ?? '',
          ...(hint !== undefined && { hint }),
          untilBootMs: pass.now.bootMs + OBSTACLE_RECHECK_MS,
        },
  };
}

/** A change of networks waits until all of them can be joined; the container goes on as it is. */
function joinedWhenThere(pass: Pass, desired: Container, intent: Intent): Intent {
  if (!intent.steps.some(({ name }) => name === 'update') || !changesEndpoints(intent.fields)) return intent;
  const waiting = unmetNetwork(pass, desired);
  if (waiting === null) return intent;
  const { busy, message, hint } = waiting;
  const reason = busy ? 'busy' : 'dependency-not-ready';
  return {
    ...intent,
    steps: [],
    hold: { key: desired.key, reason, message, ...(hint !== undefined && { hint }), untilBootMs: null },
  };
}

/** Returns the hold message for steps that wait for an image. */
function afterLoad({ steps }: Intent, need: ResourceKey): Unmet {
  const has = (step: Step['name']) => steps.some(({ name }) => name === step);
  const then = has('remove') ? 'recreated' : has('create') ? 'made' : has('stop') ? 'restarted' : 'started';
  const loaded = parseKey(need).kind === 'image' ? 'loaded' : 'there, whose image is being loaded';
  return { busy: true, message: `${steps[0]?.cause.message ?? ''}; ${then} when ${need} is ${loaded}` };
}
