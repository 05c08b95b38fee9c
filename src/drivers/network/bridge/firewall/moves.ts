import { constants } from 'node:os';
import { Nftables } from '../../../../ffi/network/nftables.ts';
import { TsdError, toTsdError } from '../../../../model/errors/errors.ts';
import type { Names } from '../names.ts';
import type { RunNft } from './foreign-rules.ts';
import {
  addressSet,
  type KeptConnection,
  keptConnections,
  type Move,
  type MoveSides,
  moveRules,
  moveTable,
  moveTables,
  ownerChange,
  parseMove,
  removedMove,
  trialOfMove,
} from './move-ruleset.ts';

/** What is known of a move: also of one that an earlier supervisor began. */
export type KnownMove = Pick<Move, 'sides' | 'addresses' | 'owner'>;

/** Whether this kernel can do what a move takes. */
export function canMove(names: Names): boolean {
  try {
    const nft = new Nftables();
    try {
      nft.run('try the rules of a moving address', trialOfMove(names));
      return true;
    } finally {
      nft.close();
    }
  } catch (error) {
    const { code, errno } = toTsdError(error);
    const lacks: readonly (number | undefined)[] = [constants.errno.EOPNOTSUPP, constants.errno.EPROTONOSUPPORT];
    if (code === 'TSD_UNSUPPORTED_HOST' || lacks.includes(errno)) return false;
    throw error;
  }
}

/** Elements in one transaction: libnftables takes their text apart for some microseconds each. */
const BATCH = 2_000;

/** The rules of addresses that move, see move-ruleset.ts. What there is of an earlier supervisor is taken over. */
export class Moves {
  readonly #names: Names;
  readonly #run: RunNft;
  #known: Map<string, KnownMove> | null = null;

  constructor(names: Names, run: RunNft) {
    this.#names = names;
    this.#run = run;
  }

  /** The moves that an endpoint is a side of. @param link the host's end of its pair */
  of(link: string): KnownMove[] {
    return [...this.#load().values()].filter(({ sides }) => sides.some((side) => side.link === link));
  }

  between(sides: MoveSides): KnownMove | undefined {
    return this.#load().get(moveTable(this.#names, sides));
  }

  /** Makes the rules be these. What was recorded stays. */
  set(move: Move): void {
    const known = this.#load();
    this.#run('write the rules of a moving address', moveRules(this.#names, move));
    known.set(moveTable(this.#names, move.sides), move);
  }

  keep(move: Move, side: 0 | 1, connections: readonly KeptConnection[]): void {
    for (let at = 0; at < connections.length; at += BATCH) {
      const commands = keptConnections(this.#names, move, side, connections.slice(at, at + BATCH));
      if (commands !== null) this.#run('keep connections where they are', commands);
    }
  }

  /** From one packet to the next the owner of the move gets new connections. */
  own(move: Move): void {
    this.#run('move an address', ownerChange(this.#names, move));
    this.#load().set(moveTable(this.#names, move.sides), move);
  }

  remove({ sides }: KnownMove): void {
    const table = moveTable(this.#names, sides);
    this.#run('remove the rules of a moved address', removedMove(table));
    this.#load().delete(table);
  }

  removeAll(): void {
    for (const move of [...this.#load().values()]) this.remove(move);
  }

  #load(): Map<string, KnownMove> {
    if (this.#known !== null) return this.#known;
    const known = new Map<string, KnownMove>();
    for (const table of moveTables(this.#names, this.#run('list moves', 'list tables bridge'))) {
      const move = this.#read(table);
      // One that is not whole was interrupted by somebody else: its two are kept apart by nothing.
      if (move === null) this.#run('remove the rules of a moved address', removedMove(table));
      else known.set(table, move);
    }
    this.#known = known;
    return known;
  }

  #read(table: string): KnownMove | null {
    const list = (what: string): string | null => this.#list(what);
    const [sides, owner] = [list(`map bridge ${table} sides`), list(`chain bridge ${table} owner`)];
    if (sides === null || owner === null) return null;
    const [ipv4, ipv6] = (['ipv4', 'ipv6'] as const).map((family) => list(`set bridge ${table} ${addressSet(family)}`));
    return parseMove({ sides, ipv4: ipv4 ?? null, ipv6: ipv6 ?? null, owner });
  }

  /** Null when it is not there. */
  #list(what: string): string | null {
    try {
      return this.#run('read a move', `list ${what}`);
    } catch (error) {
      if (error instanceof TsdError && error.errno === constants.errno.ENOENT) return null;
      throw error;
    }
  }
}
