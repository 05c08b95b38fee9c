/**
 * Rules of an address that moves from one container to another on the same bridge, as text. Pure.
 *
 * For a while both have the address, each with a MAC of its own, and neighbours may know either. Which of the two a frame is
 * for is decided by its connection: what opens one goes to the owner; what belongs to a connection of the other one goes
 * there. A connection is the other one's when that has sent something on it since its packets are recorded, or when it had
 * the socket at the moment of the move. Frames between ports are judged where they enter the bridge, those of the host where
 * they leave it, before the bridge looks for the port. Neighbour discovery is left to the MACs.
 *
 * A move has a table in the bridge and one in the netdev family, both of one name, so that it goes as a whole. The kernel
 * follows them without a supervisor.
 */
import type { Family } from '../../../../model/addresses.ts';
import type { Names } from '../names.ts';

export interface MoveSide {
  /** The host's end of its pair. */
  readonly link: string;
  readonly mac: string;
}

/** The sides in the order of their links: the same two always have the same tables. */
export type MoveSides = readonly [MoveSide, MoveSide];

export interface MoveAddresses {
  readonly ipv4: string | null;
  readonly ipv6: string | null;
}

export interface Move {
  readonly sides: MoveSides;
  /** Without lengths of prefixes. */
  readonly addresses: MoveAddresses;
  readonly bridge: string;
  /** Who gets new connections: index of a side. */
  readonly owner: 0 | 1;
  /** Whose connections are kept: the one that gives the address away, and one that gave it before. */
  readonly recorded: readonly (0 | 1)[];
}

/** What a peer sends on a connection. */
export interface KeptConnection {
  readonly protocol: string;
  readonly peer: string;
  readonly peerPort: number;
  readonly port: number;
}

type MoveFamily = 'bridge' | 'netdev';
const FAMILIES: readonly MoveFamily[] = ['bridge', 'netdev'];
const IP: Readonly<Record<Family, { readonly word: string; readonly type: string }>> = {
  ipv4: { word: 'ip', type: 'ipv4_addr' },
  ipv6: { word: 'ip6', type: 'ipv6_addr' },
};
/** Elements of one side and family. A flood of one container fills its own set only, and the set goes with the move. */
const MOST_CONNECTIONS = 262_144;

export function sidesOf(a: MoveSide, b: MoveSide): MoveSides {
  return a.link < b.link ? [a, b] : [b, a];
}

export function moveTable(names: Names, [a, b]: MoveSides): string {
  return `${movePrefix(names)}${a.link}-${b.link}`;
}

function movePrefix(names: Names): string {
  return `${names.table}-move-`;
}

export const addressSet = (family: Family): string => `${family}_moves`;
const keptSet = (family: Family, side: 0 | 1): string => `${family}_of_${side}`;

const familiesOf = (addresses: MoveAddresses): Family[] =>
  (['ipv4', 'ipv6'] as const).filter((family) => addresses[family] !== null);

/** Sets of both tables. What they say of the move itself is read back by a later supervisor. */
function sets(at: string, { sides, addresses }: Move): string[] {
  const kept = familiesOf(addresses).flatMap((family) =>
    ([0, 1] as const).map(
      (side) =>
        `add set ${at} ${keptSet(family, side)} { type inet_proto . ${IP[family].type} . inet_service . inet_service; flags dynamic; size ${MOST_CONNECTIONS}; }`,
    ),
  );
  return [
    `add map ${at} sides { type ifname : ether_addr; }`,
    `add element ${at} sides { ${sides.map(({ link, mac }) => `"${link}" : ${mac}`).join(', ')} }`,
    ...familiesOf(addresses).flatMap((family) => [
      `add set ${at} ${addressSet(family)} { type ${IP[family].type}; }`,
      `add element ${at} ${addressSet(family)} { ${addresses[family]} }`,
    ]),
    ...kept,
  ];
}

function recordRules(family: Family, side: 0 | 1): string {
  const { word } = IP[family];
  return `${word} saddr @${addressSet(family)} add @${keptSet(family, side)} { meta l4proto . ${word} daddr . th dport . th sport }`;
}

/** Frames to the address, whichever of the two MACs they are to. */
function steerRules(at: string, move: Move): string[] {
  const macs = move.sides.map(({ mac }) => mac).join(', ');
  return familiesOf(move.addresses).flatMap((family) => {
    const { word } = IP[family];
    const chain = `${at} steer_${family}`;
    const key = (ports: string): string => `meta l4proto . ${word} saddr . ${ports}`;
    const forget = ([0, 1] as const).map(
      (side) => `delete @${keptSet(family, side)} { ${key('tcp sport . tcp dport')} }`,
    );
    const keep = ([0, 1] as const)
      .filter((side) => move.recorded.includes(side))
      .map(
        (side) =>
          `add rule ${chain} ${key('th sport . th dport')} @${keptSet(family, side)} ether daddr set ${move.sides[side].mac} accept`,
      );
    return [
      `add rule ${at} steer ether daddr { ${macs} } ${word} daddr @${addressSet(family)} jump steer_${family}`,
      ...(family === 'ipv6'
        ? [`add rule ${chain} icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept`]
        : []),
      // The first packet of a connection: an ended one of the same ports is over.
      `add rule ${chain} tcp flags & (syn | ack) == syn ${forget.join(' ')} goto owner`,
      ...keep,
      `add rule ${chain} goto owner`,
    ];
  });
}

function ownerRule(at: string, { sides, owner }: Move): string {
  return `add rule ${at} owner ether daddr set ${sides[owner].mac} accept`;
}

const chainsOf = ({ addresses }: Move): string[] => [
  'owner',
  ...familiesOf(addresses).map((family) => `steer_${family}`),
];

function bridgeChains(at: string, move: Move): string[] {
  const { addresses, recorded, sides } = move;
  return [
    `add chain ${at} record { type filter hook prerouting priority -260; policy accept; }`,
    `add chain ${at} steer { type filter hook prerouting priority -250; policy accept; }`,
    ...chainsOf(move).map((chain) => `add chain ${at} ${chain}`),
    ...['record', 'steer', ...chainsOf(move)].map((chain) => `flush chain ${at} ${chain}`),
    ...recorded.flatMap((side) =>
      familiesOf(addresses).map(
        (family) => `add rule ${at} record iifname "${sides[side].link}" ${recordRules(family, side)}`,
      ),
    ),
  ];
}

/** Their hooks are of one device each. */
function netdevChains(at: string, move: Move): string[] {
  const { addresses, bridge, recorded, sides } = move;
  const hook = (name: string, device: string): string =>
    `type filter hook ${name} device "${device}" priority 0; policy accept;`;
  const recording = recorded.map((side) => [side, `record_${side}`] as const);
  return [
    ...recording.map(([side, chain]) => `add chain ${at} ${chain} { ${hook('ingress', sides[side].link)} }`),
    `add chain ${at} steer { ${hook('egress', bridge)} }`,
    ...chainsOf(move).map((chain) => `add chain ${at} ${chain}`),
    ...[...recording.map(([, chain]) => chain), 'steer', ...chainsOf(move)].map(
      (chain) => `flush chain ${at} ${chain}`,
    ),
    ...recording.flatMap(([side, chain]) =>
      familiesOf(addresses).map((family) => `add rule ${at} ${chain} ${recordRules(family, side)}`),
    ),
  ];
}

/**
 * Commands after which the rules are these, whether there were any or not. What was recorded stays. In one transaction each
 * frame is judged by all of the old rules or all of the new ones.
 */
export function moveRules(names: Names, move: Move): string {
  const table = moveTable(names, move.sides);
  return FAMILIES.flatMap((family) => {
    const at = `${family} ${table}`;
    const chains = family === 'bridge' ? bridgeChains(at, move) : netdevChains(at, move);
    return [`add table ${at}`, ...sets(at, move), ...chains, ...steerRules(at, move), ownerRule(at, move)];
  }).join('\n');
}

/** Makes another side the owner. */
export function ownerChange(names: Names, move: Move): string {
  return FAMILIES.flatMap((family) => {
    const at = `${family} ${moveTable(names, move.sides)}`;
    return [`flush chain ${at} owner`, ownerRule(at, move)];
  }).join('\n');
}

/** Adds connections of a side to those that are kept; null for none. */
export function keptConnections(
  names: Names,
  { sides, addresses }: Move,
  side: 0 | 1,
  connections: readonly KeptConnection[],
): string | null {
  const commands = familiesOf(addresses).flatMap((family) => {
    const own = connections.filter(({ peer }) => peer.includes(':') === (family === 'ipv6'));
    if (own.length === 0) return [];
    const elements = own.map(({ protocol, peer, peerPort, port }) => `${protocol} . ${peer} . ${peerPort} . ${port}`);
    return FAMILIES.map(
      (table) => `add element ${table} ${moveTable(names, sides)} ${keptSet(family, side)} { ${elements.join(', ')} }`,
    );
  });
  return commands.length === 0 ? null : commands.join('\n');
}

/** Commands after which the tables of a name are gone, whether they were there or not. */
export function removedMove(table: string): string {
  return FAMILIES.flatMap((family) => [`add table ${family} ${table}`, `delete table ${family} ${table}`]).join('\n');
}

/** In one transaction, on a device that every namespace has: fails where the kernel cannot do what a move takes (before Linux 5.16). */
export function trialOfMove(names: Names): string {
  const at = `netdev ${names.table}-trial`;
  return [
    `add table ${at}`,
    `add chain ${at} steer { type filter hook egress device "lo" priority 0; policy accept; }`,
    `delete table ${at}`,
  ].join('\n');
}

// -------------------------------------------------------------------------------------------------------------- reading

type Json = Readonly<Record<string, unknown>>;

function entries(text: string, kind: string): Json[] {
  const { nftables } = JSON.parse(text) as { readonly nftables: readonly Readonly<Record<string, Json>>[] };
  return nftables.flatMap((entry): Json[] => (entry[kind] === undefined ? [] : [entry[kind]]));
}

/** Names of the tables of moves in the answer to `list tables bridge`. */
export function moveTables(names: Names, text: string): string[] {
  const all = entries(text, 'table').map(({ name }) => String(name));
  return all.filter((name) => name.startsWith(movePrefix(names)));
}

const textsOf = (set: Json | undefined): string[] => ((set?.elem ?? []) as readonly unknown[]).map(String);

/** What the answers to listing `sides`, the sets of addresses and the chain `owner` say; null for a table that is not whole. */
export function parseMove(lists: {
  readonly sides: string;
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  readonly owner: string;
}): Pick<Move, 'sides' | 'addresses' | 'owner'> | null {
  const [map] = entries(lists.sides, 'map');
  const elements = (map?.elem ?? []) as readonly (readonly [string, string])[];
  const [a, b] = elements.map(([link, mac]) => ({ link, mac }));
  const address = (text: string | null): string | null =>
    (text === null ? undefined : textsOf(entries(text, 'set')[0])[0]) ?? null;
  const rules = entries(lists.owner, 'rule');
  if (a === undefined || b === undefined) return null;
  const sides = sidesOf(a, b);
  const owner = sides.findIndex(({ mac }) => JSON.stringify(rules).includes(`"${mac}"`));
  if (owner !== 0 && owner !== 1) return null;
  return { sides, addresses: { ipv4: address(lists.ipv4), ipv6: address(lists.ipv6) }, owner };
}
