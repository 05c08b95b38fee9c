/** Which manifests, files and pins go back to an earlier generation. */
import { TsdError } from '../../model/errors/errors.ts';
import type { Source } from './source.ts';
import { type AppPins, type Compared, pinsTo } from './source-pins.ts';

export interface RolledBack {
  readonly applied: Map<string, Source>;
  readonly pins: AppPins;
}

/** `a, b` and `a, b and 3 more`. */
const NAMED = 5;
function listed(names: readonly string[]): string {
  const more = names.length - NAMED;
  return `${names.slice(0, NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/**
 * Applied manifests and what they are pinned to are what they were. Files of the watched directory are not ours to
 * change, nor are those that an app follows: where they differ, their apps are pinned.
 * @param compared `filesOf`: of an applied manifest only the files that it follows
 * @throws TsdError TSD_OWNED_BY_MANIFEST naming the manifests and files that differ, unless `hold`
 */
export function rollBack(n: number, compared: Compared, hold: boolean): RolledBack {
  const { now, then, filesOf } = compared;
  const applied = new Map([...then].filter(([, { kind }]) => kind !== 'watched'));
  const all = new Map([...then, ...now]);
  const ids = [...all].flatMap(([id, { kind }]) => (kind === 'watched' || applied.has(id) ? [id] : []));
  const next = new Map([...[...now].filter(([, { kind }]) => kind === 'watched'), ...applied]);
  const pins = pinsTo(n, `rolled back to generation ${n}`, ids, { ...compared, now: next });
  const files = Object.values(pins).flatMap(({ sources }) =>
    sources.flatMap(({ kind, origin, heldBack }) => {
      const id = `${kind} ${origin}`;
      const text = then.get(id)?.content;
      return heldBack === (text?.ok === true ? text.text : null) ? filesOf(id) : [origin];
    }),
  );
  if (files.length > 0 && !hold) {
    const differ = files.length === 1 ? 'differs' : 'differ';
    throw new TsdError('TSD_OWNED_BY_MANIFEST', `${listed(files)} ${differ} from generation ${n}`, {
      hint: 'Put the files back, or add --hold: their apps stay as they were then until a file changes.',
    });
  }
  return { applied, pins };
}
