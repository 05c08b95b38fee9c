/** Logins of the person at the command line: Docker's file, under their own home. */
import { homedir } from 'node:os';
import type { CredentialsView } from '../api/images/registry-views.ts';
import type { AuthFile } from '../images/registry/auth-file.ts';
import { TsdError } from '../model/errors/errors.ts';
import { parseImageReference } from '../model/image-reference.ts';
import type { CliContext } from './context.ts';

export async function loginsOf({ streams }: CliContext): Promise<AuthFile> {
  const { AuthFile, authFilePath } = await import('../images/registry/auth-file.ts');
  return new AuthFile(authFilePath(streams.env, homedir()));
}

/** What this person can show to the registry of an image. @throws TSD_BAD_REQUEST for what is no name of an image. */
export async function credentialsFor(context: CliContext, image: string): Promise<CredentialsView> {
  const reference = parseImageReference(image);
  if (!reference.ok) throw new TsdError('TSD_BAD_REQUEST', reference.message);
  return (await loginsOf(context)).get(reference.value.registry);
}
