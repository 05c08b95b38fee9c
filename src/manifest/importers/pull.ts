/** How an image comes here, where a foreign file says more than its name. */
import type { SourcePosition } from '../../model/resource.ts';
import type { Draft, ResourceDraft } from './draft.ts';

export interface Said<T> {
  readonly value: T;
  readonly at: SourcePosition;
}

export interface PullWords {
  readonly policy?: Said<'always' | 'never'> | undefined;
  readonly platform?: Said<string> | undefined;
}

/** Makes the container's image a declaration of its own, called like the container. Without settings no declaration is created. */
export function declarePull(draft: Draft, container: ResourceDraft, { policy, platform }: PullWords): void {
  const first = policy ?? platform;
  const reference = container.get('image');
  if (first === undefined || reference === undefined) return;
  const place = container.placeOf('image');
  const image = draft.newResource('images', container.name, first.at);
  image.set('pull', reference, place);
  if (policy) image.set('policy', policy.value, policy.at);
  if (platform) image.set('platform', platform.value, platform.at);
  container.set('image', container.name, place);
}
