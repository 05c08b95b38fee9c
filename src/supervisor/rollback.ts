/** Which manifests and pins go back to an earlier generation. */
import { TsdError } from '../model/errors.ts';
import type { Source, SourceMap } from './source.ts';
import { type AppPins, pinsTo } from './source-pins.ts';

export interface RolledBack {
  readonly applied: Map<string, Source>;
  readonly pins: AppPins;
}

/**
 * Applied manifests are what they were. Files of the watched directory are not ours to change: where they differ, their
 * apps are pinned.
 * @param now the manifests as they are
 * @param past those of generation `n`
 * @param ownerOf the app of a manifest, by the id of its source
 * @throws TsdError TSD_OWNED_BY_MANIFEST naming the watched files that differ, unless `hold`
 */
export function rollBack(
  n: number,
  {
    now,
    past,
    ownerOf,
  }: { readonly now: SourceMap; readonly past: SourceMap; readonly ownerOf: (id: string) => string },
  hold: boolean,
): RolledBack {
  const watched = [...new Map([...past, ...now])].filter(([, { kind }]) => kind === 'watched').map(([id]) => id);
  const pins = pinsTo(n, `rolled back to generation ${n}`, watched, now, past, ownerOf);
  const files = Object.values(pins).flatMap(({ sources }) => sources.map(({ origin }) => origin));
  if (files.length > 0 && !hold) {
    const differ = files.length === 1 ? 'differs' : 'differ';
    throw new TsdError('TSD_OWNED_BY_MANIFEST', `${files.join(', ')} ${differ} from generation ${n}`, {
      hint: 'Put the files back, or add --hold: their apps stay as they were then until a file changes.',
    });
  }
  return { applied: new Map([...past].filter(([, { kind }]) => kind !== 'watched')), pins };
}
