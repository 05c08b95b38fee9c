/**
 * Addresses that go from one container to another on the same bridge while connections stay where they are. At each step
 * exactly one of the two gets new connections: {@link AddressMoves.begin} lets both have the address and changes nothing
 * for anybody, {@link AddressMoves.complete} makes the other one the owner, and when one of the two goes the address is the
 * other's alone. The kernel has all that a later supervisor has to know.
 */
import { bareAddress } from '../../../model/addresses.ts';
import type { NetworkDriver, Sandbox } from '../../contract/network.ts';
import { collectErrors } from '../collect-errors.ts';
import type { Sandboxes } from '../sandboxes.ts';
import type { BridgeEndpoint } from './endpoints/bridge-endpoint.ts';
import { type Move, type MoveAddresses, type MoveSide, type MoveSides, sidesOf } from './firewall/move-ruleset.ts';
import { canMove, type KnownMove, type Moves } from './firewall/moves.ts';
import type { Names } from './names.ts';
import type { BridgeNetwork } from './network-options.ts';
import { announce, connectionsOn, dropAddresses, openFromShared, takeAddresses } from './shared-address.ts';

export interface AddressMoveParts {
  readonly sandboxes: Sandboxes;
  /** Null where no rules are made. */
  readonly moves: () => Moves | null;
  /** The host's end of an endpoint's pair. */
  readonly linkOf: (endpoint: BridgeEndpoint) => string;
  /** Whose the host's end of a pair is; null for one that is gone. */
  readonly containerOf: (link: string) => string | null;
}

/** A move that is about to be made. */
export interface Moving {
  readonly move: Move;
  readonly from: BridgeEndpoint;
  readonly to: BridgeEndpoint;
  /** An earlier attempt got as far as this one is to get. */
  readonly isMade: boolean;
  /** The two had no address in common before. */
  readonly isNew: boolean;
}

/** Whether addresses can be shared is tried once, when somebody asks. */
export function bridgeCapabilities(iptables: boolean, names: Names): NetworkDriver['capabilities'] {
  let can: boolean | null = null;
  return {
    sandbox: true,
    ports: true,
    onHost: true,
    ownMac: true,
    bandwidth: true,
    get sharedAddresses(): boolean {
      can ??= iptables && canMove(names);
      return can;
    },
  };
}

const indexOf = (sides: MoveSides, link: string): 0 | 1 => (sides[0].link === link ? 0 : 1);

type Addressed = Pick<BridgeEndpoint, 'network' | 'ipv4' | 'ipv6'>;

/** What both have on one network; one of them may have an address of the other family that is its own. */
function common(from: Addressed, to: Addressed): MoveAddresses {
  const [giver, taker] = [addressesOf(from), addressesOf(to)];
  const same = (family: 'ipv4' | 'ipv6') =>
    from.network === to.network && giver[family] === taker[family] ? giver[family] : null;
  return { ipv4: same('ipv4'), ipv6: same('ipv6') };
}

function addressesOf({ ipv4, ipv6 }: Pick<BridgeEndpoint, 'ipv4' | 'ipv6'>): MoveAddresses {
  return { ipv4: ipv4 && bareAddress(ipv4), ipv6: ipv6 && bareAddress(ipv6) };
}

export class AddressMoves {
  readonly #parts: AddressMoveParts;

  constructor(parts: AddressMoveParts) {
    this.#parts = parts;
  }

  /**
   * Lets `to` have the addresses of `from`, whose connections are recorded from now on. Null when they have none in common:
   * there is nothing to move.
   */
  begin(from: BridgeEndpoint | undefined, to: BridgeEndpoint, network: BridgeNetwork): Moving | null {
    const moves = this.#parts.moves();
    const sandbox = this.#parts.sandboxes.get(to.containerId);
    const addresses = from === undefined ? null : common(from, to);
    if (moves === null || sandbox === null) return null;
    if (from === undefined || addresses === null || (addresses.ipv4 ?? addresses.ipv6) === null) {
      if (to.former !== undefined) this.#takeAlone(sandbox, to, network);
      return null;
    }
    const [giver, taker] = [this.#sideOf(from), this.#sideOf(to)];
    const sides = sidesOf(giver, taker);
    const known = moves.between(sides);
    const taking = indexOf(sides, taker.link);
    const giving = indexOf(sides, giver.link);
    const isMade = known?.owner === taking;
    // One that gave the address away before has connections still.
    const recorded: readonly (0 | 1)[] = known === undefined ? [giving] : [0, 1];
    const owner = isMade ? taking : giving;
    const move: Move = { sides, addresses, bridge: network.bridge, owner, recorded };
    if (!isMade) moves.set(move);
    takeAddresses(sandbox, to, network.icc);
    return { move, from, to, isMade, isNew: known === undefined };
  }

  /** New connections reach `to` from one packet to the next. */
  complete({ move, from, to, isMade }: Moving): void {
    const moves = this.#parts.moves();
    const [giver, taker] = [this.#parts.sandboxes.get(from.containerId), this.#parts.sandboxes.get(to.containerId)];
    if (moves === null || taker === null) return;
    if (!isMade) {
      const giving = indexOf(move.sides, this.#parts.linkOf(from));
      const open = giver === null ? [] : connectionsOn(giver, move.addresses);
      const kept = open.map(({ protocol, local, peer }) => ({
        protocol,
        peer: peer.address,
        peerPort: peer.port,
        port: local.port,
      }));
      moves.keep(move, giving, kept);
      moves.own({ ...move, owner: giving === 0 ? 1 : 0 });
    }
    announce(taker, move.addresses, to.mac);
  }

  /** Neighbours learn where addresses are that came without a move; the rules let `to` say so by now. */
  announceAlone(to: BridgeEndpoint): void {
    const sandbox = this.#parts.sandboxes.get(to.containerId);
    if (sandbox !== null && to.former !== undefined) announce(sandbox, addressesOf(to), to.mac);
  }

  /** What {@link begin} did is taken back, unless the two had the addresses before. */
  giveUp({ move, to, isNew }: Moving): void {
    if (!isNew) return;
    const sandbox = this.#parts.sandboxes.get(to.containerId);
    if (sandbox !== null) {
      dropAddresses(sandbox, move.addresses);
      openFromShared(sandbox);
    }
    this.#parts.moves()?.remove(move);
  }

  /** An endpoint goes: the addresses that it shared are the other one's alone. @param link the host's end of its pair */
  leave(link: string): void {
    const moves = this.#parts.moves();
    for (const move of moves?.of(link) ?? []) {
      const [leaving, staying] = move.sides[0].link === link ? move.sides : ([move.sides[1], move.sides[0]] as const);
      this.#end(move, { leaving, staying });
    }
  }

  /** Addresses that move from or to an endpoint. @param link the host's end of its pair */
  addressesOf(link: string): string[] {
    const moves = this.#parts.moves()?.of(link) ?? [];
    return moves.flatMap(({ addresses }) => [addresses.ipv4 ?? [], addresses.ipv6 ?? []].flat());
  }

  /** Ends the moves of an endpoint whose other side went while no supervisor ran. */
  settle(link: string): void {
    for (const { sides } of this.#parts.moves()?.of(link) ?? []) {
      const other = sides[0].link === link ? sides[1] : sides[0];
      if (this.#parts.containerOf(other.link) === null) this.leave(other.link);
    }
  }

  /** Nobody else has the addresses. */
  #takeAlone(sandbox: Sandbox, to: BridgeEndpoint, { icc }: BridgeNetwork): void {
    takeAddresses(sandbox, to, icc);
    openFromShared(sandbox);
  }

  #end(move: KnownMove, { leaving, staying }: { readonly leaving: MoveSide; readonly staying: MoveSide }): void {
    const [gone, left] = [this.#sandboxOf(leaving), this.#sandboxOf(staying)];
    collectErrors(`leave ${staying.link} the address that it shared`, [
      // Before the neighbours are told: an answer of both would be one too many.
      () => gone && dropAddresses(gone, move.addresses),
      () => left && announce(left, move.addresses, staying.mac),
      () => left && openFromShared(left),
      () => this.#parts.moves()?.remove(move),
    ]);
  }

  #sandboxOf({ link }: MoveSide): Sandbox | null {
    const containerId = this.#parts.containerOf(link);
    return containerId === null ? null : this.#parts.sandboxes.get(containerId);
  }

  #sideOf(endpoint: BridgeEndpoint): MoveSide {
    return { link: this.#parts.linkOf(endpoint), mac: endpoint.mac.toLowerCase() };
  }
}
