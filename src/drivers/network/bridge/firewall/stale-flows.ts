/**
 * UDP clients that the kernel remembers. It translates a flow as it did the first datagram: one that was sent before the
 * port was published never arrives, and one to a removed container arrives at the next holder of its address. So flows of
 * a port that is published, moved or released are forgotten, and their next datagram is translated again.
 */
import { Conntrack, type Place, type UdpFlow } from '../../../../ffi/network/conntrack.ts';
import { listAddresses } from '../../../../ffi/network/link-addresses.ts';
import { bareAddress, familyOf } from '../../../../model/addresses.ts';
import { ANY_IPV4, ANY_IPV6 } from '../../../../model/networks/host-addresses.ts';
import { withRouteSocket } from '../../route-socket.ts';
import { portOfElement } from '../publication.ts';
import type { Element } from './ruleset.ts';

export function publishesUdp(element: Element): boolean {
  return portOfElement(element)?.protocol === 'udp';
}

const textOf = ({ address, port }: Place): string => `${address} ${port}`;
const targetOf = ({ value }: Element): Place => ({ address: value?.[0] ?? '', port: Number(value?.[1]) });

function publishedAt(element: Element): string {
  const port = portOfElement(element);
  return textOf({ address: port?.hostIp ?? '', port: port?.hostPort ?? 0 });
}

/**
 * Pure: which flows do not lead where they should.
 * @param before elements that published UDP ports until now. @param now those that do from now on, for all of the ports.
 * @param isOurs whether an address is this host's.
 */
function staleFlows(
  { before, now }: { readonly before: readonly Element[]; readonly now: readonly Element[] },
  flows: readonly UdpFlow[],
  isOurs: (address: string) => boolean,
): UdpFlow[] {
  const released = new Set(before.map((element) => textOf(targetOf(element))));
  const published = new Map(now.map((element) => [publishedAt(element), textOf(targetOf(element))]));
  return flows.filter(({ family, sentTo, answeredBy }) => {
    const every = family === 'ipv4' ? ANY_IPV4 : ANY_IPV6;
    const everywhere = isOurs(sentTo.address) ? published.get(textOf({ ...sentTo, address: every })) : undefined;
    const target = published.get(textOf(sentTo)) ?? everywhere;
    return target === undefined ? released.has(textOf(answeredBy)) : target !== textOf(answeredBy);
  });
}

export class StaleFlows {
  readonly #conntrack = new Conntrack();

  /** Ends the flows of all ports that these elements publish. Parameters as for {@link staleFlows}. */
  end(before: readonly Element[], now: readonly Element[]): void {
    const ports = new Set([...before, ...now].flatMap((element) => portOfElement(element)?.hostPort ?? []));
    const families = new Set([...before, ...now].map((element) => familyOf(targetOf(element).address)));
    const flows = [...families].flatMap((family) => this.#conntrack.udpFlowsTo(ports, family));
    if (flows.length === 0) return;
    const own = withRouteSocket(
      (socket) => new Set(listAddresses(socket, null).map(({ address }) => bareAddress(address))),
    );
    const isOurs = (address: string): boolean => own.has(address) || address.startsWith('127.');
    this.#conntrack.forget(staleFlows({ before, now }, flows, isOurs));
  }

  close(): void {
    this.#conntrack.close();
  }
}
