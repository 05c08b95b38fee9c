import type { BuildApi, BuildEvent, BuildRequest } from '../../../src/api/images/build.ts';

/** Remembers what was asked for and streams given events. */
export class PlainBuilds implements BuildApi {
  readonly asked: BuildRequest[] = [];
  events: readonly BuildEvent[] = [
    { type: 'step', resource: '[app 1/1]', message: 'RUN make', cached: false },
    { type: 'output', resource: '[app 1/1]', text: 'one\ntwo\n' },
    { type: 'built', id: 'ab'.repeat(32), tags: ['app:1'] },
    { type: 'ready', generation: 0 },
  ];

  async *build(request: BuildRequest): AsyncGenerator<BuildEvent> {
    this.asked.push(request);
    yield* this.events;
  }
}
