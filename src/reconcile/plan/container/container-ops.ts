/** Turns the steps of an intent into ops of the plan. */
import type { Desired } from '../../../model/desired.ts';
import type { ObservedContainer } from '../../../model/observed.ts';
import type { SignalName } from '../../../model/signals.ts';
import { baseKey, type UpdateTerms } from '../../../model/update.ts';
import { OP_TRAITS } from '../../op-traits.ts';
import type { Intent, Step } from '../intent.ts';
import { because } from '../order/cause.ts';
import { mintId } from '../order/mint.ts';
import type { OpDraft } from '../order/op-graph.ts';
import type { Pass } from '../order/pass.ts';
import { specOf } from '../references.ts';

type Container = Desired<'container'>;

export function addSteps(
  pass: Pass,
  desired: Container,
  container: ObservedContainer | undefined,
  intent: Intent,
  terms: UpdateTerms | null,
): void {
  const drafts = [
    ...directoriesDraft(pass, desired, intent),
    ...intent.steps.map((step) => draftOf(pass, desired, container, intent, step)),
  ];
  drafts.forEach((draft, index) => {
    pass.graph.add(terms && index === 0 ? { ...draft, update: terms } : draft);
  });
}

/** Drafts the op that creates missing bind directories. It runs before any stop, so that its failure changes nothing. */
function directoriesDraft(pass: Pass, desired: Container, { steps }: Intent): OpDraft[] {
  const missing = pass.observed.missingDirectories?.get(baseKey(desired.key)) ?? [];
  if (missing.length === 0 || isReplaced(pass, desired) || !steps.some(({ name }) => name === 'start')) return [];
  const cause = because('missing', `missing, and to be made as its mount says: ${missing.join(', ')}`);
  return [{ op: 'container.make-directories', key: desired.key, cause }];
}

/** Reports whether `desired` is what the container was made from, replaced by another declaration. */
export function isReplaced(pass: Pass, { key, specHash }: Container): boolean {
  return pass.desired.resources.get(baseKey(key))?.specHash !== specHash;
}

function draftOf(
  pass: Pass,
  desired: Container,
  container: ObservedContainer | undefined,
  intent: Intent,
  step: Step,
): OpDraft {
  const { key } = desired;
  const made = intent.steps.some(({ name }) => name === 'create');
  // What clients make has no generation of its own: a name may come a second time in one.
  const since = desired.request?.at ?? '';
  const minted = () => mintId(pass.seed, key, `${pass.desired.generation}${since}`, container?.id ?? '');
  const containerId =
    container && (!made || OP_TRAITS[`container.${step.name}`].direction === 'down') ? container.id : minted();
  const asMade = isReplaced(pass, desired) ? { asMade: desired.specHash } : {};
  const base = { key, cause: step.cause, containerId, ...asMade };
  switch (step.name) {
    case 'stop':
      return {
        ...base,
        op: 'container.stop',
        ...stopTerms(container),
        restart: intent.steps.some(({ name }) => name === 'start'),
      };
    case 'remove':
      return { ...base, op: 'container.remove' };
    case 'start':
      return {
        ...base,
        op: 'container.start',
        run: made ? 1 : (container?.run ?? 0) + 1,
        ...intent.counters,
      };
    case 'signal':
      return {
        ...base,
        op: 'container.signal',
        signals: intent.signals,
        ...(intent.dependencies.length > 0 && { dependencies: intent.dependencies }),
      };
    case 'update':
      return { ...base, op: 'container.update', fields: intent.fields };
    case 'connect':
      return { ...base, op: 'container.connect' };
    case 'disconnect':
    case 'create':
    case 'relink':
      return { ...base, op: `container.${step.name}` };
  }
}

/** Returns signal and timeout of a stop: as the run was started with, unless the stop command gave a timeout. */
export function stopTerms(container: ObservedContainer | undefined): { timeoutMs: number; signal: SignalName } {
  const spec = container && specOf(container);
  return { timeoutMs: container?.stopTimeoutMs ?? spec?.stopTimeoutMs ?? 0, signal: spec?.stopSignal ?? 'SIGKILL' };
}
