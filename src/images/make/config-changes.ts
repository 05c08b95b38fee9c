/** Changes to an image's configuration as a Dockerfile would make them: what `commit` and `import` take as --change. */

import { Expander } from '../../model/dockerfile/expand.ts';
import { readInstruction } from '../../model/dockerfile/instruction.ts';
import { parseOne } from '../../model/dockerfile/syntax.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { CONFIG_KEYWORDS, changedConfig, envOf, type RawConfig } from '../build/config.ts';

/** Applies Dockerfile instructions in order. @throws TSD_BAD_REQUEST naming the one that cannot be read. */
export function changeConfig(config: RawConfig, changes: readonly string[]): RawConfig {
  return changes.reduce((before, text) => {
    const value = (name: string) => envOf(before).find((variable) => variable.startsWith(`${name}=`));
    const expander = new Expander('\\', (name) => value(name)?.slice(name.length + 1));
    const place = { file: '--change', line: 1, source: text };
    try {
      const instruction = readInstruction(parseOne(text, place));
      const changed = changedConfig({ config: before, author: '', ownCommand: false }, instruction, expander);
      if (changed !== null && changed.author === '') return changed.config;
    } catch (thrown) {
      if (thrown instanceof TsdError && thrown.code === 'TSD_DOCKERFILE') throw badChange(text, thrown.message);
      throw thrown;
    }
    throw badChange(
      text,
      `it does not begin with one of ${CONFIG_KEYWORDS.filter((name) => name !== 'MAINTAINER').join(', ')}`,
    );
  }, config);
}

function badChange(text: string, reason: string): TsdError {
  return new TsdError('TSD_BAD_REQUEST', `cannot apply the change ${JSON.stringify(text)}: ${reason}`, {
    hint: 'For example --change \'CMD ["/bin/app"]\' or --change "ENV MODE=production".',
  });
}
