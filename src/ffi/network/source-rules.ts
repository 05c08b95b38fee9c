/**
 * Routing rules by the source of a packet: ip-rule(8). Builders return messages for {@link NetlinkSocket.request}; list
 * functions read dumps. Layouts and constants: linux/fib_rules.h.
 */
import { constants } from 'node:os';
import type { Family } from '../../model/addresses.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { addressAt, addressBytes, FAMILY_OF, familyNumber } from './address-bytes.ts';
import {
  attribute,
  eachAttribute,
  type NetlinkMessage,
  type NetlinkSocket,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  u32,
} from './netlink.ts';

const RTM_NEWRULE = 32;
const RTM_DELRULE = 33;
const RTM_GETRULE = 34;

const FRA = { SRC: 2, PRIORITY: 6, TABLE: 15 } as const;
const FR_ACT_TO_TBL = 1;
/** Answers of a kernel without rules. */
const NO_RULES: readonly (number | undefined)[] = [constants.errno.EAFNOSUPPORT, constants.errno.EOPNOTSUPP];
/** Before the rule of the main table, 32766. */
const PRIORITY = 30_000;

/** What comes from an address is routed by a table. */
export interface SourceRule {
  /** Without prefix length. */
  readonly source: string;
  readonly table: number;
}

function ruleBody({ source, table }: SourceRule): Buffer {
  const bytes = addressBytes(source);
  const header = Buffer.alloc(12);
  header.writeUInt8(familyNumber(bytes), 0);
  header.writeUInt8(bytes.length * 8, 2);
  header.writeUInt8(FR_ACT_TO_TBL, 7);
  const parts = [attribute(FRA.SRC, bytes), attribute(FRA.PRIORITY, u32(PRIORITY)), attribute(FRA.TABLE, u32(table))];
  return Buffer.concat([header, ...parts]);
}

/** EEXIST when the rule is there. */
export function newSourceRule(rule: SourceRule): NetlinkMessage {
  const step = `route what comes from ${rule.source}`;
  return { step, type: RTM_NEWRULE, flags: NLM_F_CREATE | NLM_F_EXCL, body: ruleBody(rule) };
}

export function deleteSourceRule(rule: SourceRule): NetlinkMessage {
  return { step: `delete the rule of ${rule.source}`, type: RTM_DELRULE, flags: 0, body: ruleBody(rule) };
}

/** Rules of both families for single source addresses, with the priority of {@link newSourceRule}. */
export function listSourceRules(socket: NetlinkSocket): SourceRule[] {
  const message = { step: 'list routing rules', type: RTM_GETRULE, flags: NLM_F_DUMP, body: Buffer.alloc(12) };
  return socket.dump(message, readRule).filter((rule) => rule !== null);
}

/** Whether the kernel has rules of a family (CONFIG_IPV6_MULTIPLE_TABLES): then at least those of its own tables are there. */
export function hasRules(socket: NetlinkSocket, family: Family): boolean {
  const body = Buffer.alloc(12);
  body.writeUInt8(FAMILY_OF[family], 0);
  try {
    return socket.query({ step: 'list routing rules', type: RTM_GETRULE, flags: NLM_F_DUMP, body }).length > 0;
  } catch (error) {
    if (error instanceof TsdError && NO_RULES.includes(error.errno)) return false;
    throw error;
  }
}

function readRule(bytes: Buffer, start: number, end: number): SourceRule | null {
  const family = bytes.readUInt8(start);
  let table = bytes.readUInt8(start + 4);
  let source: string | null = null;
  let priority = 0;
  eachAttribute(bytes, start + 12, end, (type, from) => {
    if (type === FRA.SRC) source = addressAt(bytes, from, family);
    else if (type === FRA.PRIORITY) priority = bytes.readUInt32LE(from);
    else if (type === FRA.TABLE) table = bytes.readUInt32LE(from);
  });
  return source === null || priority !== PRIORITY ? null : { source, table };
}
