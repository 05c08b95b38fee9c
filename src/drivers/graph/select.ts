import { TsdError } from '../../model/errors/errors.ts';
import type { Fingerprint } from '../contract/driver.ts';

export interface GraphDriverCandidate {
  readonly name: string;
  readonly fingerprint: () => Fingerprint;
  /** Whether the driver's home has a layer of this id. */
  readonly holds: (id: string) => boolean;
}

interface GraphDriverQuestion<Candidate extends GraphDriverCandidate> {
  /** Value of `-s` or TSDOCKER_DRIVER; null when neither is set. */
  readonly requested: string | null;
  /** All drivers, the preferred one first. */
  readonly candidates: readonly Candidate[];
  /** The layers that graph/ names: what images need. */
  readonly graphIds: ReadonlySet<string>;
}

/**
 * Which graph driver a root directory uses: the one asked for; else the one that holds its images; else the first that
 * works. A home counts as prior state only when it holds an id that graph/ names: a `vfs` directory alone may be volumes.
 * @throws TSD_DRIVER_UNKNOWN, TSD_DRIVER_UNAVAILABLE, TSD_FLAG when two homes hold images.
 */
export function selectGraphDriver<Candidate extends GraphDriverCandidate>({
  requested,
  candidates,
  graphIds,
}: GraphDriverQuestion<Candidate>): Candidate {
  if (requested !== null) {
    const chosen = candidates.find(({ name }) => name === requested);
    if (chosen === undefined) {
      const names = candidates.map(({ name }) => name).join(', ');
      throw new TsdError('TSD_DRIVER_UNKNOWN', `no graph driver ${requested}; there are ${names}`, {
        step: 'select graph driver',
      });
    }
    return workingDriver(chosen, 'was asked for');
  }
  const prior = candidates.filter(({ holds }) => [...graphIds].some(holds));
  if (prior.length > 1) {
    throw new TsdError('TSD_FLAG', `images of several graph drivers: ${prior.map(({ name }) => name).join(', ')}`, {
      step: 'select graph driver',
      hint: 'Choose one with -s.',
    });
  }
  if (prior[0] !== undefined) return workingDriver(prior[0], 'holds the images of this root directory');
  const tried: string[] = [];
  for (const candidate of candidates) {
    const { works, problems } = candidate.fingerprint();
    if (works) return candidate;
    tried.push(`${candidate.name}: ${problems.map(({ what }) => what).join(', ')}`);
  }
  throw new TsdError('TSD_DRIVER_UNAVAILABLE', `no graph driver works here (${tried.join('; ')})`, {
    step: 'select graph driver',
  });
}

/** @param why completes "graph driver X ... and does not work". @throws TSD_DRIVER_UNAVAILABLE with what its fingerprint says. */
export function workingDriver<Candidate extends GraphDriverCandidate>(candidate: Candidate, why: string): Candidate {
  const { works, problems } = candidate.fingerprint();
  if (works) return candidate;
  throw new TsdError(
    'TSD_DRIVER_UNAVAILABLE',
    `graph driver ${candidate.name} ${why} and does not work: ${problems.map(({ what }) => what).join(', ')}`,
    { step: 'select graph driver', hint: problems.map(({ fix }) => fix).join(' ') },
  );
}
