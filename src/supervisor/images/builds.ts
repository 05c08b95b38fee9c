import type { BuildApi, BuildEvent, BuildRequest } from '../../api/images/build.ts';
import type { BuildDetail, BuildStream } from '../../images/build/host.ts';
import type { ProgressSink } from '../../model/progress.ts';
import type { BuildPorts } from '../../reconcile/ops/build/build-host.ts';
import { carryOut } from '../../reconcile/ops/build/build-order.ts';
import type { ImageWork } from '../../reconcile/ops/images/image-work.ts';
import { checkImageName, parseImageName } from '../../state/images/image-names.ts';
import type { RepositoryStore } from '../../state/images/repositories.ts';
import { streamedEvents } from './streamed.ts';

export interface BuildsParts {
  readonly builder: BuildPorts;
  readonly imageWork: Pick<ImageWork, 'making'>;
  readonly repositories: Pick<RepositoryStore, 'set'>;
}

/** Builds that a person asks for. */
export class Builds implements BuildApi {
  readonly #parts: BuildsParts;

  constructor(parts: BuildsParts) {
    this.#parts = parts;
  }

  build(request: BuildRequest, signal: AbortSignal = new AbortController().signal): AsyncIterable<BuildEvent> {
    const { tags, context, dockerfile, dockerfileText, ...order } = request;
    const { builder, imageWork, repositories } = this.#parts;
    const resource = tags[0] ?? 'build';
    return streamedEvents<BuildEvent>(
      async (send) => {
        const names = tags.map(parseImageName);
        for (const name of names) checkImageName(name);
        const report = {
          step: (label: string, message: string, cached: boolean) =>
            send({ type: 'step', resource: label, message, cached }),
          output: (label: string, text: string, stream: BuildStream) =>
            send({ type: 'output', resource: label, text, ...(stream === 'stderr' && { stream }) }),
          warning: (message: string) => send({ type: 'warning', message }),
          detail: ({ label, ...detail }: BuildDetail) => send({ ...detail, resource: label }),
          plan: (steps: number) => send({ type: 'plan', steps }),
        };
        const progress: ProgressSink = (message, current, total, part) =>
          send({ type: 'progress', resource, message, current, total, ...(part && { part }) });
        const wanted = {
          ...order,
          context: context ?? { type: 'none' as const },
          dockerfile:
            dockerfileText === null
              ? { type: 'path' as const, path: dockerfile }
              : { type: 'text' as const, text: dockerfileText },
          env: {},
          allow: request.allow ?? [],
          limits: request.limits ?? null,
          extraHosts: request.extraHosts ?? [],
          pull: request.pull ?? false,
          logins: request.logins ?? {},
          declared: null,
        };
        const build = async (): Promise<void> => {
          const image = await carryOut(builder, wanted, report, progress, signal);
          for (const name of names) await repositories.set(name, image.id, true);
          send({ type: 'built', id: image.id, tags });
        };
        await imageWork.making(build);
        send({ type: 'ready', generation: 0 });
      },
      {
        failed: (error) => ({ type: 'failed', error }),
        signal,
        weight: (event) => (event.type === 'output' ? event.text.length : 0),
        leftOut: (weight) => ({
          type: 'warning',
          message: `${Math.ceil(weight / 1024)} KiB of output were left out: the client did not read them`,
        }),
      },
    );
  }
}
