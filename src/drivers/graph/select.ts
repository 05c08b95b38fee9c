import { TsdError } from '../../model/errors.ts';
import type { Fingerprint } from '../contract.ts';

export interface GraphDriverCandidate {
  readonly name: string;
  readonly fingerprint: () => Fingerprint;
  /** Ids found in the driver's home, of layers or of anything else that looks like one. */
  readonly ids: () => readonly string[];
}

interface GraphDriverQuestion {
  /** Value of `-s` or TSDOCKER_DRIVER; null when neither is set. */
  readonly requested: string | null;
  /** All drivers, the preferred one first. */
  readonly candidates: readonly GraphDriverCandidate[];
  /** Names of the directories of graph/: what images exist. */
  readonly graphIds: ReadonlySet<string>;
}

/**
 * Which graph driver a root directory uses: the one asked for; else the one that holds its images; else the first that
 * works. A home counts as prior state only when it holds an id that graph/ names: `vfs` alone may hold volumes.
 * @throws TSD_DRIVER_UNKNOWN, TSD_DRIVER_UNAVAILABLE, TSD_FLAG when two homes hold images.
 */
export function selectGraphDriver({ requested, candidates, graphIds }: GraphDriverQuestion): string {
  if (requested !== null) {
    const chosen = candidates.find(({ name }) => name === requested);
    if (chosen === undefined) {
      const names = candidates.map(({ name }) => name).join(', ');
      throw new TsdError('TSD_DRIVER_UNKNOWN', `no graph driver ${requested}; there are ${names}`, {
        step: 'select graph driver',
      });
    }
    return mustWork(chosen, 'was asked for');
  }
  const prior = graphIds.size === 0 ? [] : candidates.filter(({ ids }) => ids().some((id) => graphIds.has(id)));
  if (prior.length > 1) {
    throw new TsdError('TSD_FLAG', `images of several graph drivers: ${prior.map(({ name }) => name).join(', ')}`, {
      step: 'select graph driver',
      hint: 'Choose one with -s.',
    });
  }
  if (prior[0] !== undefined) return mustWork(prior[0], 'holds the images of this root directory');
  const tried: string[] = [];
  for (const candidate of candidates) {
    const { works, problems } = candidate.fingerprint();
    if (works) return candidate.name;
    tried.push(`${candidate.name}: ${problems.map(({ what }) => what).join(', ')}`);
  }
  throw new TsdError('TSD_DRIVER_UNAVAILABLE', `no graph driver works here (${tried.join('; ')})`, {
    step: 'select graph driver',
  });
}

function mustWork(candidate: GraphDriverCandidate, why: string): string {
  const { works, problems } = candidate.fingerprint();
  if (works) return candidate.name;
  throw new TsdError(
    'TSD_DRIVER_UNAVAILABLE',
    `graph driver ${candidate.name} ${why} and does not work: ${problems.map(({ what }) => what).join(', ')}`,
    { step: 'select graph driver', hint: problems.map(({ fix }) => fix).join(' ') },
  );
}
