/** Empty texts, as variables without a value leave them: Compose takes most of them for fields that are not there. */
import type { Part } from '../part.ts';

/** Fields whose empty text says something, and mappings whose members are no fields. */
const KEPT = new Set(
  (
    'command entrypoint test environment labels annotations args options driver_opts additional_contexts extra_hosts ' +
    'sysctls content dockerfile_inline ulimits'
  ).split(' '),
);

/** Mappings of names to fields. */
const NAMES = new Set(['services', 'networks', 'volumes', 'depends_on']);

function withoutEmpty(part: Part, isNames: boolean): Part {
  if (part.content.type !== 'mapping') return part;
  const members = [...part.content.members].flatMap(([name, member]) => {
    if (!isNames && KEPT.has(name)) return [[name, member] as const];
    const isEmpty = member.content.type === 'text' && member.content.text === '';
    return isEmpty && !isNames ? [] : [[name, withoutEmpty(member, !isNames && NAMES.has(name))] as const];
  });
  return part.with({ type: 'mapping', members: new Map(members) });
}

/** The project without fields that are empty. */
export const withoutEmptyFields = (root: Part): Part => withoutEmpty(root, false);
