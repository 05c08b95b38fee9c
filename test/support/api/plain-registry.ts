import type {
  DistributionView,
  ImageHistoryView,
  RegistryApi,
  RemovedView,
  SearchView,
} from '../../../src/api/images/registry-views.ts';
import type { TransferEvent } from '../../../src/api/images/transfer-event.ts';

/** Registries as plain data: every call is kept in `asked` and answered with what stands here. */
export class PlainRegistry implements RegistryApi {
  readonly asked: { readonly call: string; readonly with: unknown }[] = [];
  events: readonly TransferEvent[] = [{ type: 'ready', generation: 0 }];
  found: readonly SearchView[] = [];
  steps: readonly ImageHistoryView[] = [];
  removed: readonly RemovedView[] = [];
  described: DistributionView = { mediaType: '', digest: '', size: 0, platforms: [] };
  tagNames: readonly string[] = [];

  pull(request: unknown): AsyncIterable<TransferEvent> {
    return this.#stream('pull', request);
  }

  push(request: unknown): AsyncIterable<TransferEvent> {
    return this.#stream('push', request);
  }

  async checkLogin(request: unknown): Promise<void> {
    this.#note('checkLogin', request);
  }

  async tags(reference: string, credentials: unknown): Promise<readonly string[]> {
    this.#note('tags', { reference, credentials });
    return this.tagNames;
  }

  async distribution(reference: string, credentials: unknown): Promise<DistributionView> {
    this.#note('distribution', { reference, credentials });
    return this.described;
  }

  async search(request: unknown): Promise<readonly SearchView[]> {
    this.#note('search', request);
    return this.found;
  }

  async tag(image: string, name: string, force: boolean): Promise<void> {
    this.#note('tag', { image, name, force });
  }

  async removeImage(request: unknown): Promise<readonly RemovedView[]> {
    this.#note('removeImage', request);
    return this.removed;
  }

  async imageHistory(image: string): Promise<readonly ImageHistoryView[]> {
    this.#note('imageHistory', image);
    return this.steps;
  }

  #note(call: string, request: unknown): void {
    this.asked.push({ call, with: request });
  }

  async *#stream(call: string, request: unknown): AsyncGenerator<TransferEvent> {
    this.#note(call, request);
    yield* this.events;
  }
}
