/**
 * Combinations of a container's fields that contradict each other. Docker 1.4 checks many of them in its client
 * (runconfig/parse.go); here all of them are refused before anything is touched.
 */
import type { References } from '../../model/desired.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import { membershipField, membershipsOf } from '../../model/kinds/network-membership.ts';
import { isOfNetwork } from '../../model/kinds/sysctl-forms.ts';
import { append } from '../../model/lists.ts';
import { isBridged, type NetworkMode, networkKey, networkMode, ownsNamespace } from '../../model/network-mode.ts';
import { mayComplete } from '../../model/restart-policy.ts';
import { NAMESPACE_RULES } from './namespace-rules.ts';
import type { KnownNetworkDrivers } from './network-fields.ts';
import { attachedNetworks, NETWORK_RULES } from './network-rules.ts';
import { type Rule, refuse, refuseWith, type Subject } from './rule.ts';
import type { Declared, Finding, Universe } from './universe.ts';

/** Fields that have no meaning with a mode. */
const NOT_WITH: Readonly<Record<NetworkMode['type'], readonly (keyof ContainerSpec)[]>> = {
  bridge: [],
  network: [],
  host: ['ports', 'links', 'address', 'bandwidth', 'dns', 'dnsSearch', 'hostname', 'domainname'],
  none: ['ports', 'links', 'address', 'bandwidth'],
  container: [
    'ports',
    'expose',
    'links',
    'address',
    'bandwidth',
    'dns',
    'dnsSearch',
    'extraHosts',
    'hostname',
    'domainname',
  ],
};

const isGiven = (value: unknown): boolean => (Array.isArray(value) ? value.length > 0 : value !== null && value !== '');

const fieldsOfMode: Rule = (subject) =>
  NOT_WITH[networkMode(subject.spec.network).type]
    .filter((field) => isGiven(subject.spec[field]))
    .map((field) => refuse(subject, field, `${field} cannot be combined with network: ${subject.spec.network}`));

/** Settings of a namespace that it shares are those of the host, or of the container whose it is. */
const networkSettings: Rule = (subject) => {
  const mode = networkMode(subject.spec.network);
  if (ownsNamespace(mode)) return [];
  return Object.keys(subject.spec.sysctls)
    .filter(isOfNetwork)
    .map((name) =>
      refuse(subject, `sysctls.${name}`, `${name} cannot be combined with network: ${subject.spec.network}`),
    );
};

const sharedNetwork: Rule = (subject) => {
  const { at, references, universe } = subject;
  if (references.networkContainer === null) return [];
  if (references.networkContainer === at.key)
    return [refuse(subject, 'network', 'a container cannot share its own network')];
  const target = universe.get<'container'>(references.networkContainer);
  const network = target?.resource.spec?.network ?? 'bridge';
  if (ownsNamespace(networkMode(network))) return [];
  const message = `that container has no network of its own; write network: ${network}`;
  return [refuseWith(subject, target, 'network', message)];
};

/** Why a link from one container to another cannot work, or null. */
function linkProblem({ spec, references }: Subject, target: Declared<'container'>, name: string): string | null {
  const targetSpec = target.resource.spec;
  if (!targetSpec || !isBridged(networkMode(spec.network))) return null;
  const mode = networkMode(targetSpec.network);
  if (mode.type === 'container') return `${name} has no address of its own; link to the container it shares`;
  if (!isBridged(mode)) return `${name} uses network: ${mode.type} and has no address to link to`;
  const theirs = membershipsOf(targetSpec).map(({ network }) => networkKey(target.candidate.app.app, network));
  const common = references.networks.some((key) => theirs.includes(key));
  return common ? null : `${name} is on another network; links need a common one`;
}

const links: Rule = (subject) => {
  const { at, spec, references, universe } = subject;
  const aliases = new Set<string>();
  return spec.links.flatMap((link, index) => {
    const key = references.links[index];
    if (key === at.key) return [refuse(subject, 'links', 'a container cannot link to itself', index)];
    if (aliases.has(link.alias)) return [refuse(subject, 'links', `the alias ${link.alias} is used twice`, index)];
    aliases.add(link.alias);
    const target = key && universe.get<'container'>(key);
    const problem = target ? linkProblem(subject, target, link.target) : null;
    return target && problem ? [refuseWith(subject, target, 'links', problem, index)] : [];
  });
};

const mounts: Rule = (subject) => {
  const seen = new Set<string>();
  return subject.spec.volumes.flatMap(({ target }, index) => {
    if (seen.has(target)) return [refuse(subject, 'volumes', `${target} is mounted twice`, index)];
    seen.add(target);
    return [];
  });
};

const volumesFrom: Rule = (subject) =>
  subject.references.volumesFrom.flatMap((key, index) =>
    key === subject.at.key
      ? [refuse(subject, 'volumesFrom', 'a container cannot take volumes from itself', index)]
      : [],
  );

const dependsOn: Rule = (subject) =>
  subject.references.dependsOn.flatMap((key, index) => {
    if (key === subject.at.key) return [refuse(subject, 'dependsOn', 'a container cannot wait for itself', index)];
    if (subject.spec.dependsOn[index]?.condition !== 'completed') return [];
    const target = subject.universe.get<'container'>(key);
    const policy = target?.resource.spec?.restart.policy;
    if (policy === undefined || mayComplete(policy)) return [];
    const message = `${target?.resource.name} never completes: its restart policy is ${policy}`;
    return [refuseWith(subject, target, 'dependsOn', message, index)];
  });

const capabilities: Rule = (subject) => {
  const { add, drop } = subject.spec.capabilities;
  const both = add.filter((name) => drop.includes(name));
  const found = both.map((name) => refuse(subject, 'capabilities', `capabilities: ${name} is both added and dropped`));
  if (subject.spec.privileged && drop.length > 0) {
    found.push(refuse(subject, 'capabilities.drop', 'a privileged container has all capabilities; drop has no effect'));
  }
  return found;
};

const devices: Rule = (subject) => {
  const seen = new Set<string>();
  return subject.spec.devices.flatMap(({ container }, index) => {
    if (seen.has(container)) return [refuse(subject, 'devices', `the device ${container} is given twice`, index)];
    seen.add(container);
    return [];
  });
};

/** Mounts that two containers would write at the same time. */
function writableMounts(subject: Subject): Finding[] {
  const { spec, universe, references } = subject;
  const why =
    'two containers would write it at once with order: start-first; set update.sharedVolumes: true if they may';
  const own = spec.volumes.flatMap(({ type, readOnly, source, target }, index) =>
    type === 'tmpfs' || readOnly ? [] : [refuse(subject, 'volumes', `${source ?? target}: ${why}`, index)],
  );
  const taken = spec.volumesFrom.flatMap(({ container, readOnly }, index) => {
    const other = references.volumesFrom[index];
    return readOnly || other === undefined
      ? []
      : [refuseWith(subject, universe.get(other), 'volumesFrom', `${container}: ${why}`, index)];
  });
  return [...own, ...taken];
}

/** What a container has on a network that its successor cannot have beside it. */
function placesForTwo(subject: Subject): Finding[] {
  const { at, spec } = subject;
  const fixed = membershipsOf(spec).flatMap(({ network, ipv4, ipv6, mac }) => {
    const say = (message: string, setting: 'ipv4' | 'ipv6' | 'mac') =>
      refuse(subject, membershipField(at.resource, network, setting), message);
    return [
      ...(ipv4 === null && ipv6 === null
        ? []
        : [say('order: start-first cannot keep a fixed address for two', ipv4 === null ? 'ipv6' : 'ipv4')]),
      ...(mac === null ? [] : [say('order: start-first cannot keep a fixed MAC for two', 'mac')]),
    ];
  });
  const narrow = attachedNetworks(subject).flatMap(({ membership, declared, network: { mode }, driver }) => {
    if (mode === null || driver?.modesForOne.includes(mode) !== true) return [];
    const { network } = membership;
    const message = `order: start-first needs room for two containers; ${network} has one at a time (mode ${mode})`;
    return [refuseWith(subject, declared, membershipField(at.resource, network), message)];
  });
  return [...fixed, ...narrow];
}

/** With start-first two containers live side by side for a while. */
const startFirst: Rule = (subject) => {
  const { at, spec, universe } = subject;
  if (spec.update.order === 'stop-first') return [];
  const say = (message: string, field = 'update') => refuse(subject, field, message);
  const found = spec.update.sharedVolumes ? [] : writableMounts(subject);
  if (!ownsNamespace(networkMode(spec.network))) {
    found.push(say(`order: start-first needs a network of its own, not network: ${spec.network}`));
  }
  append(found, placesForTwo(subject));
  for (const other of universe.ofKind('container')) {
    const mode = networkMode(other.resource.spec?.network ?? '');
    if (mode.type !== 'container') continue;
    const shared = universe.lookup('container', mode.name, other.candidate.app.app);
    if (shared === at.key)
      found.push(
        refuseWith(
          subject,
          other,
          'update',
          `${other.resource.name} shares its network, which order: start-first would replace`,
        ),
      );
  }
  return found;
};

const settlesInTime: Rule = (subject) => {
  const { settleMs, timeoutMs } = subject.spec.update;
  if (settleMs === null || settleMs < timeoutMs) return [];
  return [refuse(subject, 'update', 'settle has to be shorter than timeout: no update could succeed')];
};

const RULES: readonly Rule[] = [
  fieldsOfMode,
  networkSettings,
  sharedNetwork,
  ...NETWORK_RULES,
  ...NAMESPACE_RULES,
  links,
  mounts,
  volumesFrom,
  dependsOn,
  capabilities,
  devices,
  startFirst,
  settlesInTime,
];

/** Everything that contradicts itself in one container. */
export function checkContainer(
  at: Declared<'container'>,
  spec: ContainerSpec,
  references: References,
  universe: Universe,
  networkDrivers: KnownNetworkDrivers,
): Finding[] {
  const subject: Subject = { at, spec, references, universe, networkDrivers };
  return RULES.flatMap((rule) => rule(subject));
}
