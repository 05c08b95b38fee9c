import { readNdjson } from '../ndjson.ts';
import { exchange } from '../transport.ts';
import type { BuildApi, BuildEvent, BuildRequest } from './build.ts';

/** The part of the client that builds images. */
export class BuildClient implements BuildApi {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  async *build(request: BuildRequest, signal?: AbortSignal): AsyncGenerator<BuildEvent, void, undefined> {
    const call = { method: 'POST', path: '/build', body: request, signal } as const;
    yield* readNdjson<BuildEvent>(await exchange(this.#socketPath, call));
  }
}
