/**
 * Links that the job `link` was asked for: ports that a container reaches beside those of its manifest. They last until
 * the endpoint is connected again, like the rules of Docker 1.4.
 */
import type { EndpointConfig, NetworkConfig, Networks } from '../../drivers/contract/network.ts';
import { containsAddress } from '../../model/addresses.ts';
import type { Desired } from '../../model/desired.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { type EndpointPorts, wantedEndpoints } from '../../reconcile/ops/networks/endpoint.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { ownAddresses } from '../../state/containers/endpoints.ts';

type Reached = EndpointConfig['reach'][number];

export interface TypedLinksParts {
  readonly containers: Pick<ContainerStore, 'all'>;
  readonly driver: Pick<Networks, 'attach' | 'sandbox'>;
  readonly endpoints: EndpointPorts;
}

const nameOf = ({ address, port, protocol }: Reached): string => `${address} ${port}/${protocol}`;

const isOn = ({ ipv4, ipv6 }: NetworkConfig, address: string): boolean =>
  [ipv4, ipv6].some((range) => range !== null && containsAddress(range.subnet, address));

export class TypedLinks {
  readonly #parts: TypedLinksParts;
  /** By container and what it reaches. */
  readonly #links = new Map<string, Map<string, Reached>>();

  constructor(parts: TypedLinksParts) {
    this.#parts = parts;
  }

  /** @throws TSD_NO_SUCH_RESOURCE for an address that no running container has */
  add(parent: string, reached: readonly Reached[]): void {
    const container = this.#at(parent);
    const links = new Map(this.#links.get(container.id));
    for (const one of reached) links.set(nameOf(one), one);
    this.#connect(container, links);
  }

  remove(parent: string, reached: readonly Reached[]): void {
    const container = this.#at(parent);
    const links = new Map(this.#links.get(container.id));
    for (const one of reached) links.delete(nameOf(one));
    this.#connect(container, links);
  }

  #at(address: string): ContainerRecord {
    const { containers, driver } = this.#parts;
    const found = containers
      .all()
      .find((one) => ownAddresses(one).includes(address) && driver.sandbox(one.id) !== null);
    if (found !== undefined) return found;
    throw new TsdError('TSD_NO_SUCH_RESOURCE', `no running container has the address ${address}`);
  }

  #connect(container: ContainerRecord, links: ReadonlyMap<string, Reached>): void {
    const { driver, endpoints } = this.#parts;
    const key = container.owner?.key;
    const desired = key === undefined ? undefined : endpoints.desired().resources.get(key);
    const wanted =
      desired?.kind === 'container' ? wantedEndpoints(endpoints, desired as Desired<'container'>, container.id) : [];
    if (wanted.length === 0) {
      throw new TsdError('TSD_NO_SUCH_RESOURCE', `container ${container.engineName} is not declared any more`);
    }
    for (const { config, network } of wanted) {
      const known = new Set(config.reach.map(nameOf));
      const further = [...links.values()].filter((one) => !known.has(nameOf(one)) && isOn(network, one.address));
      driver.attach({ ...config, reach: [...config.reach, ...further] });
    }
    this.#links.set(container.id, new Map(links));
  }
}
