/** What every look at the supervisor should tell: manifests that are not in force as they are written. */
import type { SupervisorClient } from '../api/client.ts';
import type { CliContext } from './context.ts';
import { standingCounts } from './output/plan.ts';

/** A line on stderr when manifests are rejected or held, with what to type. */
export async function noteManifests(context: CliContext, client: SupervisorClient): Promise<void> {
  const counts = standingCounts(await client.list('manifests'));
  if (counts.length > 0) context.warn(`${counts.join(', ')}: \`tsdocker get manifests\``);
}
