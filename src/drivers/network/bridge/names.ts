/**
 * Names and marks of our kernel objects. What reaches the kernel or libnftables as text is checked here,
 * so that no name can carry a command.
 */
import { createHash } from 'node:crypto';
import { TsdError } from '../../../model/errors/errors.ts';

/** Linux takes 15 bytes of almost anything (dev_valid_name); these are the ones that need no quoting anywhere. */
const INTERFACE_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/;
const INSTANCE_PATTERN = /^[0-9a-f]{6}$/;

/** The interface of a container whose id names its endpoint too. */
export const CONTAINER_INTERFACE = 'eth0';

/** Names an endpoint in marks, rules and maps: the id of its container, and behind a colon its interface unless it is eth0. */
export type EndpointId = string;

export function endpointId(containerId: string, interfaceName: string): EndpointId {
  return interfaceName === CONTAINER_INTERFACE ? containerId : `${containerId}:${interfaceName}`;
}

export const containerOf = (endpoint: EndpointId): string => endpoint.split(':', 1)[0] as string;

export type MarkKind = 'network' | 'endpoint' | 'firewall';

/** Link groups are numbers: the top byte says tsdocker, the rest is the instance. */
const GROUP_TAG = 0x74_00_00_00;

export function checkInterfaceName(name: string): void {
  if (INTERFACE_PATTERN.test(name)) return;
  throw new TsdError('TSD_NETWORK', `${JSON.stringify(name)} is not an interface name`, {
    class: 'invalid',
    hint: 'Use at most 15 letters, digits, dots, dashes and underscores.',
  });
}

/** Names and marks of one supervisor. */
export class Names {
  readonly #instance: string;

  constructor(instance: string) {
    if (!INSTANCE_PATTERN.test(instance))
      throw new TsdError('TSD_BUG', `${JSON.stringify(instance)} is no instance id`);
    this.#instance = instance;
  }

  get table(): string {
    return `tsd-${this.#instance}`;
  }

  /** Set when a link is made, in the same call, so that even a half-made one is known as ours. */
  get group(): number {
    return GROUP_TAG + Number.parseInt(this.#instance, 16);
  }

  /** The host's end of an endpoint's veth pair: 15 bytes. */
  veth(endpoint: EndpointId): string {
    const isFirst = containerOf(endpoint) === endpoint;
    const own = isFirst ? endpoint : createHash('sha256').update(endpoint).digest('hex');
    return `v${this.#instance}${own.slice(0, 8)}`;
  }

  isVeth(name: string): boolean {
    return name.startsWith(`v${this.#instance}`);
  }

  /** Interface alias or nft comment. */
  mark(kind: MarkKind, id: string): string {
    return `tsd:${this.#instance}:${kind}:${id}`;
  }

  /** The id in a mark of ours, or null. */
  idOf(kind: MarkKind, mark: string | null): string | null {
    const prefix = this.mark(kind, '');
    return mark?.startsWith(prefix) === true ? mark.slice(prefix.length) : null;
  }
}
