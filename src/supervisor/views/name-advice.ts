/** What would make a host name known in a container, out of what is declared. Pure. */
import type { Desired } from '../../model/desired.ts';
import { DEFAULT_NETWORK, isBridged, networkMode } from '../../model/network-mode.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import { isContainer } from '../../reconcile/plan/references.ts';

type Container = Desired<'container'>;

export interface NameAdvice {
  readonly line: string;
  readonly hint: string;
}

export interface NameQuestion {
  readonly name: string;
  /** Where it was looked for. */
  readonly asker: Container;
  readonly resources: ReadonlyMap<ResourceKey, Desired>;
  /** Has an address just now. */
  readonly isUp: (key: ResourceKey) => boolean;
}

const shown = ({ key }: Container): string => {
  const { app, name } = parseKey(key);
  return `${app}/${name}`;
};

/** What a person writes as `network` to be on a network. */
function written(network: ResourceKey, app: string): string {
  if (network === DEFAULT_NETWORK) return 'bridge';
  const key = parseKey(network);
  return key.app === app ? key.name : `${key.app}/${key.name}`;
}

const isNear = (a: Container, b: Container): boolean =>
  a.references.networks.some((network) => b.references.networks.includes(network));

/** Whether a container goes by that name anywhere; its short name is heard in its own app only. */
function goesBy({ name, engineName, spec }: Container, wanted: string): boolean {
  const { hostname, domainname } = spec;
  return [name, engineName, hostname, `${hostname}.${domainname}`].includes(wanted);
}

/** Those nearest to it first. */
function candidates({ name, asker, resources }: NameQuestion): Container[] {
  const wanted = name.toLowerCase();
  const distance = (other: Container): number => Number(other.app !== asker.app) * 2 + Number(!isNear(other, asker));
  return [...resources.values()]
    .filter((resource): resource is Container => isContainer(resource) && goesBy(resource, wanted))
    .sort((a, b) => distance(a) - distance(b) || (a.key < b.key ? -1 : 1));
}

function withoutNetwork(name: string, { spec }: Container): NameAdvice | null {
  const { type } = networkMode(spec.network);
  if (type !== 'host' && type !== 'none') return null;
  return {
    line: `"${name}" is unknown to it: with \`network: ${spec.network}\` it has no names of containers`,
    hint: `Give it a network of containers (leave \`network\` out for the default one).`,
  };
}

function ofTarget({ name, asker, isUp }: NameQuestion, target: Container): NameAdvice {
  const is = `"${name}" is unknown to it: ${shown(target)}`;
  const { spec, references } = target;
  if (!isBridged(networkMode(spec.network))) {
    const mode = `${is} has \`network: ${spec.network}\` and no name of its own`;
    const hint =
      references.networkContainer === null
        ? `Give ${shown(target)} a network that ${shown(asker)} is on.`
        : `Use the name of the container whose network it shares.`;
    return { line: mode, hint };
  }
  const [first = DEFAULT_NETWORK] = references.networks;
  if (!isNear(target, asker) && asker.references.networkContainer === null) {
    const names = ({ references: { networks } }: Container) =>
      networks.map((network) => written(network, asker.app)).join(', ');
    const [theirs, own] = [written(first, asker.app), names(asker)];
    const write =
      asker.references.networks.length > 1 ? `Add \`${theirs}\` to the networks` : `Write \`network: ${theirs}\``;
    return {
      line: `${is} is on network ${names(target)}, and this one on ${own}`,
      hint: `${write} at ${shown(asker)}, or put both on one network${target.app === asker.app ? '' : `; there it is called ${target.engineName}`}.`,
    };
  }
  if (target.app !== asker.app && name.toLowerCase() === target.name) {
    return {
      line: `${is} has that name in its own app only`,
      hint: `Use ${target.engineName}, or write \`links: [${shown(target)}]\` at ${shown(asker)}.`,
    };
  }
  const order = target.app === asker.app ? target.name : shown(target);
  return {
    line: isUp(target.key) ? `${is} had no address when it looked; it has one now` : `${is} is not up`,
    hint: isUp(target.key)
      ? `Write \`dependsOn: [${order}]\` at ${shown(asker)}, so that it starts afterwards.`
      : `\`tsdocker why ${shown(target)}\` tells why it is not up; \`dependsOn: [${order}]\` makes ${shown(asker)} wait for it.`,
  };
}

/** Why it is unknown, and the field to write or the command to type. */
export function nameAdvice(question: NameQuestion): NameAdvice {
  const { name, asker } = question;
  const none = withoutNetwork(name, asker);
  if (none) return none;
  const [target] = candidates(question).filter(({ key }) => key !== asker.key);
  if (target) return ofTarget(question, target);
  return {
    line: `"${name}" is unknown to it: no container has that name, and the name servers do not know it`,
    hint: `Check the name; for a host outside write \`extraHosts: ["${name}:ADDRESS"]\` or other \`dns\` servers.`,
  };
}
