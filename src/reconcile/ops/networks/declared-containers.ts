import type { Desired } from '../../../model/desired.ts';
import type { Declared } from '../declared.ts';

export function declaredContainers(declared: Declared): Desired<'container'>[] {
  return [...declared.desired().resources.values()].filter(
    (desired) => desired.kind === 'container',
  ) as Desired<'container'>[];
}
