/** `pull_policy` and `platform` of a Compose service. */
import type { Draft, ResourceDraft } from '../draft.ts';
import type { Part } from '../part.ts';
import { declarePull, type Said } from '../pull.ts';

function policyOf(part: Part, container: ResourceDraft): Said<'always' | 'never'> | undefined {
  const value = part.text();
  if (value === 'always' || value === 'never') return { value, at: part.at };
  if (value === 'missing' || value === 'if_not_present') return undefined;
  if (value === 'build') container.warn(part.at, 'pull_policy build: without build there is nothing to build');
  else if (/^(daily|weekly|refresh|every_.+)$/.test(value)) {
    container.warn(
      part.at,
      `pull_policy ${value}: a registry is asked at an edit, by apply --refresh or tsdocker pull`,
    );
  } else container.refuse(part.at, `pull_policy ${JSON.stringify(value)} is unknown`);
  return undefined;
}

/** @param built the image that `build` makes of it, or null. */
export function readImageOrigin(
  draft: Draft,
  service: Part,
  container: ResourceDraft,
  built: ResourceDraft | null,
): void {
  const written = (name: string) => {
    const part = service.get(name);
    return part === undefined || part.isNothing ? undefined : part;
  };
  const [pullPolicy, platform] = [written('pull_policy'), written('platform')];
  if (built !== null) {
    if (platform) built.put('build', 'platform', platform.text(), platform.at);
    return;
  }
  declarePull(draft, container, {
    policy: pullPolicy && policyOf(pullPolicy, container),
    platform: platform && { value: platform.text(), at: platform.at },
  });
}
