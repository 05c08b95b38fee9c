/** Makes a container through the Docker API, with the image of a registry where this host has none. */
import type { DockerClient } from '../../../api/docker/client.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { CliContext } from '../../context.ts';
import { printable } from '../../output/text.ts';
import { type CreateOptions, creationOf } from './create-options.ts';

interface Created {
  readonly Id: string;
  readonly Warnings: readonly string[] | null;
}

interface Progress {
  readonly status?: string;
  readonly id?: string;
  readonly error?: string;
}

async function pull(
  context: CliContext,
  docker: DockerClient,
  image: string,
  platform: string | undefined,
): Promise<void> {
  context.warn(`the image ${printable(image)} is not on this host: pulling it`);
  for await (const { status, id, error } of docker.progress<Progress>('/images/create', {
    fromImage: image,
    platform,
  })) {
    if (error !== undefined) throw new TsdError('TSD_REGISTRY', error, { hint: '' });
    // Of a layer, what is over is enough.
    if (status !== undefined && (id === undefined || /complete|exists/.test(status)))
      context.warn(printable(id === undefined ? status : `${id}: ${status}`));
  }
}

/** Returns its id; warnings are printed. @throws TsdError */
export async function createContainer(
  context: CliContext,
  words: readonly string[],
  options: CreateOptions,
  attached: boolean,
): Promise<string> {
  const docker = await context.docker();
  const [image = '', ...command] = words;
  const body = creationOf(image, command, options, context.streams.env, attached);
  const create = () =>
    docker.post<Created>('/containers/create', { name: options.name, platform: options.platform }, body);
  const { Id, Warnings } = await create().catch(async (thrown: unknown) => {
    const isMissing = thrown instanceof TsdError && /no such image/i.test(thrown.message);
    if (!isMissing) throw thrown;
    await pull(
      context,
      docker,
      /[:@]/.test(image.slice(image.lastIndexOf('/') + 1)) ? image : `${image}:latest`,
      options.platform,
    );
    return create();
  });
  for (const warning of Warnings ?? []) context.warn(`warning: ${printable(warning)}`);
  return Id;
}
