/** Images that a build takes from elsewhere. Pure. */

import { own } from '../own.ts';
import { Expander } from './expand.ts';
import { type Dockerfile, findStage, type Stage, targetStage } from './stages.ts';

const IMAGE_SCHEME = 'docker-image://';

/**
 * Names of the images that FROM, COPY --from and RUN --mount mean in the target and the stages it needs. Names made of
 * arguments that only a stage declares are left out.
 * @param contexts named contexts: directories, and images as `docker-image://name`.
 * @throws TSD_DOCKERFILE when there is no such target.
 */
export function usedImages(
  dockerfile: Dockerfile,
  target: string | null,
  contexts: Readonly<Record<string, string>>,
): readonly string[] {
  const images = new Set<string>();
  const seen = new Set<Stage>();
  const open = [targetStage(dockerfile, target)];
  for (let stage = open.pop(); stage !== undefined; stage = open.pop()) {
    if (seen.has(stage)) continue;
    seen.add(stage);
    for (const [index, name] of namesIn(dockerfile, stage).entries()) {
      const context = own(contexts, name);
      const number = index === 0 && /^\d+$/.test(name);
      const other = context === undefined && !number ? findStage(dockerfile, name, stage.index) : undefined;
      if (other !== undefined) open.push(other);
      else if (context?.startsWith(IMAGE_SCHEME)) images.add(context.slice(IMAGE_SCHEME.length));
      else if (context === undefined && name !== 'scratch') images.add(name);
    }
  }
  return [...images].sort();
}

/** What a stage names as sources, its base first. */
function namesIn({ globalArgs, escapeCharacter }: Dockerfile, stage: Stage): string[] {
  const expander = new Expander(escapeCharacter, (name) => globalArgs.get(name));
  const others = stage.instructions.flatMap(({ flags, place }) => {
    const written = [
      ...(flags.get('from') ?? []),
      ...(flags.get('mount') ?? []).flatMap((mount) => /(?:^|,)from=([^,]+)/.exec(mount)?.[1] ?? []),
    ];
    return written.map((text) => expander.word(text, place)).filter((name) => name !== '');
  });
  return [stage.base, ...others];
}
