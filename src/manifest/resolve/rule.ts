import type { References } from '../../model/desired.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { KnownNetworkDrivers } from './network-fields.ts';
import { type Declared, type Finding, finding, positionOf, type Universe } from './universe.ts';

/** A container whose fields are compared with each other. */
export interface Subject {
  readonly at: Declared<'container'>;
  readonly spec: ContainerSpec;
  readonly references: References;
  readonly universe: Universe;
  readonly networkDrivers: KnownNetworkDrivers;
}

export type Rule = (subject: Subject) => Finding[];

export const refuse = ({ at }: Subject, field: string, message: string, index?: number): Finding =>
  finding(at, 'TSD_MANIFEST_SCHEMA', message, positionOf(at, field, index));

/** As {@link refuse}, for what also depends on another resource, perhaps of another source. */
export function refuseWith(
  { at }: Subject,
  other: Declared | undefined,
  field: string,
  message: string,
  index?: number,
): Finding {
  return finding(at, 'TSD_MANIFEST_SCHEMA', message, positionOf(at, field, index), other ? [other.candidate] : []);
}
