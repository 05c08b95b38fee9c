import { TsdError } from '../../model/errors/errors.ts';

/** Ids become directory names: 64 hex digits for ours, `<id>-init` for Docker 1.4's init layers. */
const ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/;

export const isLayerId = (name: string): boolean => ID.test(name);

/** Checks that an id cannot be a path. @throws TSD_BUG otherwise: ids are generated, never typed */
export function checkLayerId(id: string): void {
  if (!isLayerId(id)) throw new TsdError('TSD_BUG', `not a layer id: ${JSON.stringify(id)}`);
}

export function parentConflict(id: string, has: string | null, wanted: string | null): TsdError {
  const text = (parent: string | null): string => (parent === null ? 'no parent' : `parent ${parent}`);
  return new TsdError('TSD_LAYER_CONFLICT', `${id} exists with ${text(has)}, not ${text(wanted)}`);
}

export function missingLayer(id: string, step: string): TsdError {
  return new TsdError('TSD_IMAGE_MISSING', `layer ${id} does not exist`, { step });
}

export function missingParent(id: string, parent: string): TsdError {
  return new TsdError('TSD_IMAGE_MISSING', `layer ${parent}, the parent of ${id}, does not exist`);
}

export function stillUsed(id: string, child: string): TsdError {
  return new TsdError('TSD_LAYER_CONFLICT', `layer ${id} is the parent of ${child}`, {
    step: 'remove layer',
    hint: 'Remove what builds on it first.',
  });
}
