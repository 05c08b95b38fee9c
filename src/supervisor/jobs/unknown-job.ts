/** Answers names that no job has. */
import type { Engine } from '../../engine/engine.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { closest } from '../../model/text/suggest.ts';

/** The error's code makes 127 of the job's status. */
export function registerUnknownJob(engine: Engine): void {
  engine.registerCatchall((job) => {
    const offered = engine.specs().filter(({ dangerous, instead }) => dangerous !== true && instead === undefined);
    const meant = closest(
      job.name,
      offered.map(({ name }) => name),
    );
    const hint = `${meant === undefined ? '' : `Did you mean ${meant}? `}\`tsdocker jobs\` lists all jobs.`;
    throw new TsdError('TSD_JOB_UNKNOWN', `${job.name}: command not found`, { hint });
  });
}
