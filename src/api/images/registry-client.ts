import { readNdjson } from '../ndjson.ts';
import { exchange, exchangeJson } from '../transport.ts';
import type {
  CredentialsView,
  DistributionView,
  ImageHistoryView,
  LoginRequest,
  PullRequest,
  PushRequest,
  RegistryApi,
  RemovedView,
  RemoveImageRequest,
  SearchRequest,
  SearchView,
} from './registry-views.ts';
import type { TransferEvent } from './transfer-event.ts';

/** The part of the client that is about registries and the names of images. */
export class RegistryApiClient implements RegistryApi {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  pull(request: PullRequest, signal?: AbortSignal): AsyncIterable<TransferEvent> {
    return this.#stream('/images/pull', request, signal);
  }

  push(request: PushRequest, signal?: AbortSignal): AsyncIterable<TransferEvent> {
    return this.#stream('/images/push', request, signal);
  }

  checkLogin(request: LoginRequest, signal?: AbortSignal): Promise<void> {
    return this.#post('/registry/login', request, signal);
  }

  tags(reference: string, credentials: CredentialsView, signal?: AbortSignal): Promise<readonly string[]> {
    return this.#post('/registry/tags', { reference, credentials }, signal);
  }

  distribution(reference: string, credentials: CredentialsView, signal?: AbortSignal): Promise<DistributionView> {
    return this.#post('/registry/distribution', { reference, credentials }, signal);
  }

  search(request: SearchRequest, signal?: AbortSignal): Promise<readonly SearchView[]> {
    return this.#post('/registry/search', request, signal);
  }

  tag(image: string, name: string, force: boolean): Promise<void> {
    return this.#post('/images/tag', { image, name, force });
  }

  removeImage(request: RemoveImageRequest): Promise<readonly RemovedView[]> {
    return this.#post('/images/remove', request);
  }

  imageHistory(image: string): Promise<readonly ImageHistoryView[]> {
    const path = `/images/history?${new URLSearchParams({ image })}`;
    return exchangeJson(this.#socketPath, { method: 'GET', path });
  }

  #post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
    return exchangeJson(this.#socketPath, { method: 'POST', path, body, signal });
  }

  async *#stream(path: string, body: unknown, signal?: AbortSignal): AsyncGenerator<TransferEvent, void, undefined> {
    yield* readNdjson<TransferEvent>(await exchange(this.#socketPath, { method: 'POST', path, body, signal }));
  }
}
