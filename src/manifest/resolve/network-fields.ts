/** Fields of a network that its driver does not have. */
import type { NetworkSpec } from '../../model/kinds/network.ts';
import {
  DRIVER_FIELDS,
  type NetworkDriverFields,
  type NetworkDriverTable,
} from '../../model/networks/driver-fields.ts';
import { own } from '../../model/own.ts';
import { closest } from '../../model/text/suggest.ts';
import { type Declared, type Finding, finding, positionOf } from './universe.ts';

/** The drivers that there are, and the one of networks that name none. */
export interface KnownNetworkDrivers {
  readonly drivers: NetworkDriverTable;
  readonly standard: string;
}

/** True for what is written and means more than its default. */
const isGiven = (spec: NetworkSpec, field: (typeof DRIVER_FIELDS)[number]): boolean =>
  field === 'icc' || field === 'masquerade' ? !spec[field] : spec[field] !== null;

function unknownDriver(at: Declared<'network'>, name: string, drivers: NetworkDriverTable): Finding {
  const usable = Object.keys(drivers).filter((known) => own(drivers, known) !== null);
  const mode = own(drivers, name) === null && Object.hasOwn(drivers, name);
  const meant = mode ? null : closest(name, usable);
  const message = mode
    ? `${name} is no driver of networks: a container names it itself (network: ${name})`
    : `there is no network driver ${JSON.stringify(name)}${meant ? `; did you mean ${meant}?` : ''}`;
  const issue = { code: 'TSD_MANIFEST_SCHEMA' as const, hint: `There are ${usable.join(', ')}.` };
  return finding(at, issue, message, positionOf(at, 'driver'));
}

function modeProblem({ mode }: NetworkSpec, { modes }: NetworkDriverFields, driver: string): string | null {
  if (mode === null || modes.length === 0 || modes.includes(mode)) return null;
  return `${driver} has no mode ${JSON.stringify(mode)}; it has ${modes.join(', ')}`;
}

/** What is wrong with a network, as far as its driver knows. */
export function checkNetwork(
  at: Declared<'network'>,
  spec: NetworkSpec,
  { drivers, standard }: KnownNetworkDrivers,
): Finding[] {
  const driver = spec.driver ?? standard;
  const known = own(drivers, driver);
  if (!known) return [unknownDriver(at, driver, drivers)];
  const refuse = (field: keyof NetworkSpec, message: string) =>
    finding(at, 'TSD_MANIFEST_SCHEMA', message, positionOf(at, field));
  const found = DRIVER_FIELDS.filter((field) => !known.fields.includes(field) && isGiven(spec, field)).map((field) =>
    refuse(field, `a network of driver ${driver} has no ${field}`),
  );
  const problem = known.fields.includes('mode') ? modeProblem(spec, known, driver) : null;
  if (problem !== null) found.push(refuse('mode', problem));
  if (spec.mode !== null && known.modesWithoutGateway.includes(spec.mode)) {
    for (const field of ['gateway', 'gateway6'] as const) {
      const message = `with mode ${spec.mode} packets leave by the interface itself; there is no gateway`;
      if (spec[field] !== null) found.push(refuse(field, message));
    }
  }
  return found;
}
