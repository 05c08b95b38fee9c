/** What is answered to a question, without sending anything. */
import type { Query } from '../packet/query.ts';
import type { LocalAnswer, LocalRecord } from '../packet/reply.ts';
import { CLASS_IN, CODE, TYPE } from '../packet/wire.ts';
import { lookUp, pointerOf, type View } from './view.ts';
import type { Addresses } from './zone.ts';

const FORWARD = 'forward';

/** A known name without what is asked for: never "no such name", for which musl forgets the other family too. */
const NOTHING: LocalAnswer = { code: CODE.ok, records: [] };
const NO_SUCH_NAME: LocalAnswer = { code: CODE.noSuchName, records: [] };
const REFUSED: LocalAnswer = { code: CODE.refused, records: [] };
/** Code 16 (RFC 6891, 9): the low four bits are in the header, the others in the reply's OPT. */
const BAD_VERSION: LocalAnswer = { code: 0, records: [] };

const LOOPBACK: Addresses = { ipv4: ['127.0.0.1'], ipv6: ['::1'] };
const LOOPBACK_POINTERS: ReadonlySet<string> = new Set(['1.0.0.127.in-addr.arpa', `1.${'0.'.repeat(31)}ip6.arpa`]);

/** An answer, or that the question is for servers outside. */
export function answer(query: Query, view: View): LocalAnswer | typeof FORWARD {
  if (query.edns !== null && query.edns.version !== 0) return BAD_VERSION;
  // Other classes have no names of ours; transfers of zones are no questions.
  if (query.class !== CLASS_IN || query.type === TYPE.axfr || query.type === TYPE.ixfr) return REFUSED;
  return special(query) ?? pointer(query, view) ?? named(query, view) ?? unknown(query, view);
}

/** Names that stay on this host, RFC 6761, 6.3 and 6.4. */
function special({ name, type }: Query): LocalAnswer | null {
  const top = name.slice(name.lastIndexOf('.') + 1);
  if (top === 'localhost') return ofAddresses(LOOPBACK, type);
  if (top === 'invalid') return NO_SUCH_NAME;
  return LOOPBACK_POINTERS.has(name) ? ofPointer('localhost', type) : null;
}

function pointer({ name, type }: Query, view: View): LocalAnswer | null {
  if (!name.endsWith('.arpa')) return null;
  const found = pointerOf(name, view);
  return found === null ? null : ofPointer(found, type);
}

function ofPointer(data: string, type: number): LocalAnswer {
  return type === TYPE.ptr || type === TYPE.any ? { code: CODE.ok, records: [{ type: 'PTR', data }] } : NOTHING;
}

function named({ name, type }: Query, view: View): LocalAnswer | null {
  const found = lookUp(name, view);
  return found === null ? null : ofAddresses(found, type);
}

function ofAddresses({ ipv4, ipv6 }: Addresses, type: number): LocalAnswer {
  if (type === TYPE.a) return ofRecords('A', ipv4);
  if (type === TYPE.aaaa) return ofRecords('AAAA', ipv6);
  // One of the sets is an answer to a question for all (RFC 8482, 4.1).
  if (type === TYPE.any) return ipv4.length > 0 ? ofRecords('A', ipv4) : ofRecords('AAAA', ipv6);
  return NOTHING;
}

function ofRecords(type: LocalRecord['type'], data: readonly string[]): LocalAnswer {
  return data.length === 0 ? NOTHING : { code: CODE.ok, records: data.map((each) => ({ type, data: each })) };
}

/** Who sets ndots means short names for the search list; sent on, they would only be told to strangers. */
function unknown({ name, type }: Query, { ndots }: View): LocalAnswer | typeof FORWARD {
  const isShort = !name.includes('.') && name !== '';
  const isAddress = type === TYPE.a || type === TYPE.aaaa;
  return ndots !== null && isShort && isAddress ? NOTHING : FORWARD;
}
