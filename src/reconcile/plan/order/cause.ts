import type { Desired } from '../../../model/desired.ts';
import type { ContentReaction } from '../../../model/kinds/short-forms.ts';
import type { SourcePosition } from '../../../model/resource.ts';
import { formatPosition } from '../../../model/resource.ts';
import type { Cause } from '../../op.ts';
import type { FieldChange } from '../diff.ts';

export function declared({ source, request }: Desired): Cause {
  const how = request ? 'asked for by' : 'declared in';
  return { reason: 'declared', message: `${how} ${formatPosition(source)}`, source };
}

/** Returns the cause for a declaration that changed as a whole, without field names. */
export function redeclared({ source }: Desired, consequence = ''): Cause {
  return { reason: 'spec-changed', message: `changed in ${formatPosition(source)}${consequence}`, source };
}

/** Returns the source position of a field: its own, that of its first written part, or that of the resource. */
export function positionOf(desired: Desired, path: string): SourcePosition {
  const top = path.split('.', 1)[0] ?? path;
  const within = Object.entries(desired.positions).find(([written]) => written.startsWith(`${top}.`))?.[1];
  return desired.positions[path] ?? desired.positions[top] ?? within ?? desired.source;
}

/** A file whose content changed, with the reaction that the manifest declares. */
export interface ContentChange {
  /** As written. */
  readonly path: string;
  readonly reaction: ContentReaction;
}

/** `resources.memory, ports changed in blog.yaml:12:3; content of ./secret changed (restart)`. */
export function specChanged(
  desired: Desired,
  changes: readonly FieldChange[],
  content: readonly ContentChange[] = [],
): Cause {
  const [first] = changes;
  const source = first ? positionOf(desired, first.path) : desired.source;
  const paths = changes.map((change) => change.path);
  const parts = [
    paths.length > 0 && `${paths.join(', ')} changed in ${formatPosition(source)}`,
    ...content.map(({ path, reaction }) => `content of ${path} changed (${reaction})`),
  ].filter((part) => part !== false);
  return { reason: 'spec-changed', message: parts.join('; '), source };
}

/** `rolled back to generation 4: command, health`. Without a position: the file may have changed since. */
export function rolledBack(
  generation: number,
  changes: readonly FieldChange[],
  content: readonly ContentChange[],
): Cause {
  const what = [...changes.map(({ path }) => path), ...content.map(({ path }) => `content of ${path}`)];
  const message = `rolled back to generation ${generation}: ${what.join(', ')}`;
  return { reason: 'spec-changed', message };
}

export function because(reason: Cause['reason'], message: string): Cause {
  return { reason, message };
}
