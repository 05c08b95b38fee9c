/** Notes for every command that shows state: manifests that are not in force as written. */
import type { SupervisorClient } from '../api/client.ts';
import { manifestCounts } from './output/plan.ts';

/** A line when manifests are rejected or held, with what to type; null when all are in force. */
export async function manifestNote(client: SupervisorClient): Promise<string | null> {
  const counts = manifestCounts(await client.list('manifests'));
  return counts.length > 0 ? `${counts.join(', ')}: \`tsdocker get manifests\`` : null;
}
